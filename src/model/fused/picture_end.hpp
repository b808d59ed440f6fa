// The network's end: from the enlarged map to the picture.
#pragma once

#include "fused/conv.hpp"
#include "fused/map.hpp"

namespace vsr::model::fused {

// conv_hr with leaky relu, conv_last, and the frame itself added; on Hopper one kernel.
class PictureEnd {
 public:
  PictureEnd() = default;
  PictureEnd(WeightStore& store, const ConvWeights& hr, const ConvWeights& last);

  // Whether run() keeps what lies between the two in a map.
  static bool needs_map(const Compute& compute) { return !compute.hopper; }

  // `base`: (3, height / scale, width / scale), of the picture; fp32 planar, as `out` is.
  // `between`: a map like the source to work in, looked at where needs_map().
  void run(const Compute& compute,
           const Map& source,
           const Map& between,
           const float* base,
           int scale,
           float* out) const;

 private:
  Conv hr_;
  Conv last_;
  // Of the one kernel.
  const void* weights1_ = nullptr;
  const void* weights2_ = nullptr;
  const float* bias1_ = nullptr;
  const float* bias2_ = nullptr;
};

}  // namespace vsr::model::fused
