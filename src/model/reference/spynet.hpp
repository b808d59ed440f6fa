// Optical flow between two pictures (SPyNet), coarse to fine over six levels.
#pragma once

#include "ops.hpp"

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

namespace vsr::model::reference {

class SpyNet {
 public:
  // Made from one picture, serves every flow from or to it: normalised, resized to multiples of 32,
  // halved five times. Level 0 is the smallest. fp32.
  using Pyramid = std::vector<at::Tensor>;

  SpyNet(const WeightLoader& weights, const Compute& compute);

  Pyramid pyramid(const at::Tensor& picture) const;

  // (2, 2, h, w): [0] from a to b, [1] from b to a, in pixels of the h x w picture, x before y.
  // b sampled at p + flow[0](p) looks like a at p.
  at::Tensor flows_both_ways(const Pyramid& a,
                             const Pyramid& b,
                             std::int64_t height,
                             std::int64_t width) const;

  // One level by itself: (n, 8, h, w) in, the residue (n, 2, h, w) out. fp32.
  at::Tensor residue(int level, const at::Tensor& input) const;

  static constexpr int kLevels = 6;

 private:
  at::ScalarType type_;
  at::Tensor mean_;
  at::Tensor std_;
  std::array<std::array<Conv, 5>, kLevels> levels_;
};

}  // namespace vsr::model::reference
