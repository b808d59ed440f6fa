// For the tests that look into the reference back end: torch tensors from and to golden arrays.
#pragma once

#include "vsr/store/golden_file.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <cmath>
#include <vector>

namespace vsr::model::test {

// (c, h, w) as the network keeps maps: (1, c, h, w), channels-last.
inline at::Tensor map_of(const store::GoldenArray& array) {
  std::vector<std::int64_t> shape = array.shape;
  if (shape.size() == 3) shape.insert(shape.begin(), 1);
  auto* values = const_cast<float*>(array.values.data());
  const at::Tensor tensor = at::from_blob(values, shape, at::kFloat).clone();
  return shape.size() == 4 ? tensor.contiguous(at::MemoryFormat::ChannelsLast) : tensor;
}

inline double max_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return HUGE_VAL;
  return (a - b).abs().max().item<double>();
}

}  // namespace vsr::model::test
