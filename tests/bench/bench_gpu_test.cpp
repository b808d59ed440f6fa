// The subjects that need a GPU, with little work: that they can do it, and that what they count is
// the network's.
#include "test_support.hpp"
#include "vsr/gpu/device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace vsr::bench {
namespace {

using testing::HasSubstr;

class VsrBenchOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  }

  static std::string bench(std::vector<std::string> words) {
    words.insert(words.begin(), VSR_BENCH);
    const auto run = test::run_process(words);
    EXPECT_EQ(run.status, 0) << run.output;
    return run.output;
  }

  static std::string model() { return (test::source_dir() / "models/mix_c32n3.pth").string(); }
};

TEST_F(VsrBenchOnGpu, Network) {
  const std::string output = bench({"network", model(), "96", "64", "5"});
  EXPECT_THAT(output, HasSubstr("| x4 c32 n3 fp16 |"));
  EXPECT_THAT(output, HasSubstr("| alignment"));
}

TEST_F(VsrBenchOnGpu, NetworkWithFeaturesInHostMemory) {
  const std::string clip = (test::source_dir() / "tests/data/reds_demo_000.mkv").string();
  const std::string output =
      bench({"network", model(), "96", "64", "9", "fp16", clip, "1", "host"});
  EXPECT_THAT(output, HasSubstr("MiB of pinned host memory"));
}

// Every launch is seen, and once: their products are those of the network's shape, but for padded
// channels and flows (more) and frames without neighbours (less).
TEST_F(VsrBenchOnGpu, LayersAreAllOfTheNetwork) {
  const std::string output = bench({"layers", model(), "128", "96", "40"});
  std::smatch found;
  ASSERT_TRUE(std::regex_search(
      output,
      found,
      std::regex(R"(([0-9]+) GFLOP a frame counted by launch, ([0-9]+) by the network's shape)")))
      << output;
  const double counted = std::stod(found[1]);
  const double known = std::stod(found[2]);
  EXPECT_NEAR(counted / known, 1, 0.1) << output;
}

TEST_F(VsrBenchOnGpu, TilesBesideTheWhole) {
  const std::string output = bench({"tiles", model(), "128", "96", "3", "80", "96", "16,32"});
  EXPECT_THAT(output, HasSubstr("| whole "));
  EXPECT_THAT(output, HasSubstr("| 2 x 1 of 72x96 "));
  // Overlap, work and how near the tiles come to the whole.
  std::smatch found;
  ASSERT_TRUE(std::regex_search(
      output,
      found,
      std::regex(R"(\| 2 x 1 of 80x96 \| +32 \| 1\.25 \| +[0-9.]+ \| +([0-9.]+) \|)")))
      << output;
  EXPECT_GT(std::stod(found[1]), 45) << output;
}

TEST_F(VsrBenchOnGpu, TilesAlone) {
  const std::string output = bench({"tiles", model(), "128", "96", "3", "80", "96", "16", "alone"});
  EXPECT_THAT(output, HasSubstr("| 2 x 1 of 72x96 "));
  EXPECT_THAT(output, testing::Not(HasSubstr("whole ")));
}

TEST_F(VsrBenchOnGpu, Alignment) {
  const std::string output = bench({"alignment"});
  EXPECT_THAT(output, HasSubstr("| align 64 of 2 "));
  EXPECT_THAT(output, HasSubstr("| align 32 of 1 "));
  EXPECT_THAT(output, HasSubstr(" generic |"));
}

TEST_F(VsrBenchOnGpu, Copies) { EXPECT_THAT(bench({"copies"}), HasSubstr("| both at once")); }

}  // namespace
}  // namespace vsr::bench
