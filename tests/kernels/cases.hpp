// What tests of kernels by cases share.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vsr::kernels::test {

// For INSTANTIATE_TEST_SUITE_P, of cases with a `name`.
template <typename Case>
std::string name_of(const testing::TestParamInfo<Case>& given) {
  return given.param.name;
}

inline std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

inline double at(const std::vector<float>& values, std::int64_t index) {
  return static_cast<double>(values[to_size(index)]);
}

}  // namespace vsr::kernels::test
