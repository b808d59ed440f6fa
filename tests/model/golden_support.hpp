// Golden data for the tests of the network: its cases with their checkpoints, and the comparison.
#pragma once

#include "vsr/model/network.hpp"
#include "vsr/model/selftest.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace vsr::model::test {

struct GoldenCase {
  std::string name;     // "c16n2_t1_64x64"
  std::string weights;  // "c16n2.pth"
};

std::ostream& operator<<(std::ostream& out, const GoldenCase& golden);
// A name for GoogleTest: letters, digits and _.
std::string label(const ::testing::TestParamInfo<GoldenCase>& info);

// Every case with every checkpoint that gives its values (README of the golden data).
std::vector<GoldenCase> small_cases();
std::vector<GoldenCase> large_cases();

// REQUIRES: vsr::test::shared_dir().
std::filesystem::path golden_dir();
SelftestResult run_case(const GoldenCase& golden, const NetworkOptions& options);

// Runs the case and expects every value stored to be within the README's tolerances; skips without
// the golden data.
void expect_golden(const GoldenCase& golden, const NetworkOptions& options);

}  // namespace vsr::model::test
