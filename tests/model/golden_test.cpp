// The network in fp32 on the CPU against the golden cases.
#include "golden_support.hpp"

#include <gtest/gtest.h>

namespace vsr::model {
namespace {

class GoldenOnCpu : public ::testing::TestWithParam<test::GoldenCase> {};

TEST_P(GoldenOnCpu, MatchesEveryStep) { test::expect_golden(GetParam(), {}); }

INSTANTIATE_TEST_SUITE_P(Small, GoldenOnCpu, ::testing::ValuesIn(test::small_cases()), test::label);
INSTANTIATE_TEST_SUITE_P(Large, GoldenOnCpu, ::testing::ValuesIn(test::large_cases()), test::label);

}  // namespace
}  // namespace vsr::model
