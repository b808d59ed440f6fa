#include "golden_support.hpp"

#include "test_support.hpp"
#include "vsr/base/format.hpp"
#include "vsr/store/golden_file.hpp"

#include <algorithm>
#include <cctype>

namespace vsr::model::test {

std::ostream& operator<<(std::ostream& out, const GoldenCase& golden) {
  return out << golden.name << " with " << golden.weights;
}

std::string label(const ::testing::TestParamInfo<GoldenCase>& info) {
  std::string made = info.param.name + "_" + info.param.weights;
  for (char& letter : made) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return made;
}

std::vector<GoldenCase> small_cases() {
  return {{"c16n2_t1_64x64", "c16n2.pth"},
          {"c16n2_t2_64x82", "c16n2.pth"},
          {"c16n2_t3_94x67", "c16n2.pth"},
          {"c16n2_t5_67x100", "c16n2.pth"},
          {"c16n2_t6mirror_64x73", "c16n2.pth"},
          {"c16n2t_half_t3_64x64", "c16n2t_half.pth"},
          {"c16n2t_t3_64x64", "c16n2t_legacy.pth"},
          {"c16n2t_t3_64x64", "c16n2t_params_ema.pth"},
          {"c16n2x1_t3_268x260", "c16n2x1_bare.pth"}};
}

std::vector<GoldenCase> large_cases() {
  return {{"c64n7_t4_64x96", "c64n7.pth"}, {"c64n7_t7_96x160", "c64n7.pth"}};
}

std::filesystem::path golden_dir() { return *vsr::test::shared_dir() / "golden"; }

SelftestResult run_case(const GoldenCase& golden, const NetworkOptions& options) {
  const Checkpoint checkpoint = Checkpoint::read(golden_dir() / "weights" / golden.weights);
  const store::GoldenFile file = store::read_golden(golden_dir() / "cases" / (golden.name + ".h5"));
  // The case is one of this checkpoint, and all it holds is compared: every array but the input
  // and empty ones.
  EXPECT_EQ(std::count(file.weights.begin(), file.weights.end(), golden.weights), 1);
  const SelftestResult result = selftest(checkpoint, options, file);
  const auto held = std::count_if(file.arrays.begin(), file.arrays.end(), [](const auto& entry) {
    return entry.first != "lq" && !entry.second.values.empty();
  });
  EXPECT_EQ(static_cast<std::ptrdiff_t>(result.rows.size()), held);
  return result;
}

void expect_golden(const GoldenCase& golden, const NetworkOptions& options) {
  if (!vsr::test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
  const SelftestResult result = run_case(golden, options);
  for (const SelftestRow& row : result.rows) {
    const std::string figures =
        format("max abs {:.2e}, PSNR {:.1f} dB", row.max_abs_error, row.psnr_db);
    EXPECT_TRUE(row.passed) << row.name << ": " << figures;
    ::testing::Test::RecordProperty(row.name, figures);
  }
  EXPECT_TRUE(result.passed);
}

}  // namespace vsr::model::test
