// The network on a GPU: fp32 against the golden cases, the other precisions against a PSNR. Skips
// where there is no GPU.
#include "golden_support.hpp"
#include "test_support.hpp"
#include "vsr/gpu/device.hpp"

#include <gtest/gtest.h>

namespace vsr::model {
namespace {

// In fp16 and bf16 the fused back end, unless told otherwise.
NetworkOptions on_gpu(Precision precision, Backend backend = Backend::kAuto) {
  return {.device = {.cuda = true, .index = 0}, .precision = precision, .backend = backend};
}

class GoldenOnGpu : public ::testing::TestWithParam<test::GoldenCase> {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    if (!vsr::test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
  }

  void expect_precision(Precision precision, Backend backend = Backend::kAuto) {
    const SelftestResult result = test::run_case(GetParam(), on_gpu(precision, backend));
    for (const SelftestRow& row : result.rows) {
      const std::string figures = ::testing::PrintToString(row.psnr_db) + " dB, max abs " +
                                  ::testing::PrintToString(row.max_abs_error);
      EXPECT_TRUE(row.passed) << row.name << ": " << figures;
      RecordProperty(row.name, figures);
    }
  }
};

TEST_P(GoldenOnGpu, Fp32MatchesEveryStep) {
  test::expect_golden(GetParam(), on_gpu(Precision::kFp32));
}

TEST_P(GoldenOnGpu, Tf32StaysClose) { expect_precision(Precision::kTf32); }

TEST_P(GoldenOnGpu, Fp16StaysClose) { expect_precision(Precision::kFp16); }

TEST_P(GoldenOnGpu, Bf16StaysClose) { expect_precision(Precision::kBf16); }

TEST_P(GoldenOnGpu, ReferenceInFp16StaysClose) {
  expect_precision(Precision::kFp16, Backend::kReference);
}

TEST_P(GoldenOnGpu, ReferenceInBf16StaysClose) {
  expect_precision(Precision::kBf16, Backend::kReference);
}

INSTANTIATE_TEST_SUITE_P(Small, GoldenOnGpu, ::testing::ValuesIn(test::small_cases()), test::label);
INSTANTIATE_TEST_SUITE_P(Large, GoldenOnGpu, ::testing::ValuesIn(test::large_cases()), test::label);

}  // namespace
}  // namespace vsr::model
