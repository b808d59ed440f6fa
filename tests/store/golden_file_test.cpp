#include "vsr/store/golden_file.hpp"

#include "test_support.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

namespace vsr::store {
namespace {

// The message of the Error(kModel) that reading `path` throws.
std::string refusal(const std::filesystem::path& path) {
  try {
    read_golden(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
    return error.what();
  }
  ADD_FAILURE() << path << " was read";
  return "";
}

TEST(GoldenFile, ReadsArraysStridesAndWeights) {
  if (!test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
  const auto cases = *test::shared_dir() / "golden" / "cases";
  const GoldenFile golden = read_golden(cases / "c16n2t_t3_64x64.h5");
  EXPECT_EQ(golden.weights,
            (std::vector<std::string>{"c16n2t_legacy.pth", "c16n2t_params_ema.pth"}));
  const GoldenArray& input = golden.arrays.at("lq");
  EXPECT_EQ(input.shape, (std::vector<std::int64_t>{3, 3, 64, 64}));
  EXPECT_EQ(input.values.size(), 3u * 3 * 64 * 64);
  EXPECT_EQ(input.stride, 1);
  const GoldenArray& output = golden.arrays.at("output");
  EXPECT_EQ(output.stride, 5);
  EXPECT_EQ(output.full_shape, (std::vector<std::int64_t>{3, 3, 256, 256}));
  EXPECT_EQ(output.shape, (std::vector<std::int64_t>{3, 3, 52, 52}));
}

TEST(GoldenFile, EmptyArraysAndGroupsAreRead) {
  if (!test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
  const auto golden = *test::shared_dir() / "golden";
  const GoldenFile single = read_golden(golden / "cases" / "c16n2_t1_64x64.h5");
  EXPECT_TRUE(single.arrays.at("flows_forward").values.empty());
  const GoldenFile units = read_golden(golden / "units.h5");
  EXPECT_EQ(units.arrays.at("deform/offset").shape, (std::vector<std::int64_t>{288, 10, 12}));
}

TEST(GoldenFile, ContentInMemoryIsReadAlike) {
  const auto path = test::source_dir() / "models" / "mix_c32n3.golden.h5";
  std::ifstream stream(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  const GoldenFile one = read_golden(path);
  const GoldenFile two = read_golden(std::as_bytes(std::span(content)), "in memory");
  ASSERT_EQ(one.arrays.size(), two.arrays.size());
  EXPECT_EQ(one.weights, two.weights);
  EXPECT_EQ(one.arrays.at("output").values, two.arrays.at("output").values);
  try {
    read_golden(std::as_bytes(std::span(content).first(100)), "in memory");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
    EXPECT_NE(std::string(error.what()).find("in memory: not an HDF5 file"), std::string::npos);
  }
}

TEST(GoldenFile, RefusesWhatIsNoGoldenFile) {
  const test::TemporaryFolder folder;
  EXPECT_NE(refusal(folder.path() / "absent.h5").find("no such file"), std::string::npos);
  std::ofstream(folder.path() / "text.h5") << "not HDF5 at all";
  EXPECT_NE(refusal(folder.path() / "text.h5").find("not an HDF5 file"), std::string::npos);
}

TEST(GoldenFile, EveryTruncationIsRefusedOrReadWithoutACrash) {
  if (!test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
  const test::TemporaryFolder folder;
  const auto whole = *test::shared_dir() / "golden" / "units.h5";
  const auto size = std::filesystem::file_size(whole);
  for (std::uintmax_t kept = 0; kept < size; kept += size / 37 + 1) {
    const auto cut = folder.path() / "cut.h5";
    std::filesystem::copy_file(whole, cut, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(cut, kept);
    EXPECT_FALSE(refusal(cut).empty()) << kept;
  }
}

}  // namespace
}  // namespace vsr::store
