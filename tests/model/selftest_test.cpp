#include "vsr/model/selftest.hpp"

#include "golden_support.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace vsr::model {
namespace {

class Selftest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!vsr::test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
    golden_ = store::read_golden(test::golden_dir() / "cases" / "c16n2_t2_64x82.h5");
    checkpoint_ = Checkpoint::read(test::golden_dir() / "weights" / "c16n2.pth");
  }

  store::GoldenFile golden_;
  Checkpoint checkpoint_;
};

TEST_F(Selftest, OutputComesFirstAndAWrongValueFailsItsRowAlone) {
  golden_.arrays.at("forward_1").values[7] += 0.01f;
  const SelftestResult result = selftest(checkpoint_, {}, golden_);
  EXPECT_EQ(result.rows.front().name, "output");
  EXPECT_FALSE(result.passed);
  for (const SelftestRow& row : result.rows) {
    EXPECT_EQ(row.passed, row.name != "forward_1") << row.name;
    if (row.name == "forward_1") {
      EXPECT_NEAR(row.max_abs_error, 0.01, 1e-4);
    }
  }
}

TEST_F(Selftest, WhatIsNotANumberFails) {
  golden_.arrays.at("output").values[0] = std::numeric_limits<float>::quiet_NaN();
  const SelftestResult result = selftest(checkpoint_, {}, golden_);
  EXPECT_FALSE(result.rows.front().passed);
  EXPECT_FALSE(result.passed);
}

TEST_F(Selftest, RefusesGoldenDataOfAnotherNetwork) {
  const Checkpoint other = Checkpoint::read(test::golden_dir() / "weights" / "c64n7.pth");
  EXPECT_THROW(selftest(other, {}, golden_), Error);
  store::GoldenFile empty = golden_;
  empty.arrays.erase("lq");
  EXPECT_THROW(selftest(checkpoint_, {}, empty), Error);
}

// The variable that main() has set, by starting the program again.
TEST(CpuWaiting, IsDecidedBeforeTorchIsLoaded) {
  EXPECT_NE(std::getenv("OMP_WAIT_POLICY"), nullptr);
}

}  // namespace
}  // namespace vsr::model
