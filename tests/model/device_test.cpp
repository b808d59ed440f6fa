// Torch's exceptions become ours at the door.
#include "reference/device.hpp"

#include "vsr/base/error.hpp"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>

namespace vsr::model::reference {
namespace {

class Guarded : public ::testing::Test {
 protected:
  template <typename Work>
  Error error_of(const Work& work) const {
    try {
      guarded(compute_, "a window of 9 frames", work);
    } catch (const OutOfMemory& error) {
      EXPECT_EQ(error.code(), ErrorCode::kGpu);
      memory_ = true;
      return error;
    } catch (const Error& error) {
      memory_ = false;
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {ErrorCode::kInternal, ""};
  }

  Compute compute_ = make_compute({}, Precision::kFp32, 1);
  mutable bool memory_ = false;
};

TEST_F(Guarded, GivesTheResult) {
  EXPECT_EQ(guarded(compute_, "a sum", [] { return 2 + 2; }), 4);
}

TEST_F(Guarded, AllocationThatFailsIsOutOfMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer ends a program that asks for so much";
#endif
  const Error error = error_of([] { at::empty({std::int64_t{1} << 50}, at::kFloat); });
  EXPECT_TRUE(memory_) << error.what();
  EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("a window of 9 frames"), std::string::npos);
}

TEST_F(Guarded, EveryLibrarysWordForItIsOutOfMemory) {
  error_of([] { throw std::bad_alloc(); });
  EXPECT_TRUE(memory_);
  error_of([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried ..."); });
  EXPECT_TRUE(memory_);
  error_of([] { TORCH_CHECK(false, "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"); });
  EXPECT_TRUE(memory_);
  error_of([] { TORCH_CHECK(false, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling ..."); });
  EXPECT_TRUE(memory_);
  error_of([] { throw OutOfMemory("ours"); });
  EXPECT_TRUE(memory_);
}

TEST_F(Guarded, OtherFailuresAreErrorsOfOneLine) {
  const Error error = error_of([] { TORCH_CHECK(false, "sizes differ\nand a long trace"); });
  EXPECT_FALSE(memory_);
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_STREQ(error.what(), "a window of 9 frames: sizes differ");
  EXPECT_EQ(error_of([] { throw Error(ErrorCode::kInput, "ours"); }).code(), ErrorCode::kInput);
  EXPECT_EQ(error_of([] { throw std::runtime_error("other"); }).code(), ErrorCode::kInternal);
}

TEST_F(Guarded, WhatIsNoExceptionOfOursOrTorchsComesThrough) {
  struct Stop {};

  EXPECT_THROW(guarded(compute_, "a window", []() -> int { throw Stop{}; }), Stop);
}

TEST(MakeCompute, RefusesHalfTypesOnTheCpu) {
  EXPECT_THROW(make_compute({}, Precision::kFp16, 0), Error);
  EXPECT_GE(make_compute({}, Precision::kFp32, 0).cpu_threads, 1);
  EXPECT_EQ(make_compute({}, Precision::kFp32, 3).cpu_threads, 3);
}

}  // namespace
}  // namespace vsr::model::reference
