#include "spynet.hpp"

#include "vsr/base/format.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

namespace vsr::model::reference {

namespace {

std::int64_t multiple_of_32(std::int64_t size) { return (size + 31) / 32 * 32; }

}  // namespace

SpyNet::SpyNet(const WeightLoader& weights, const Compute& compute)
    : type_(compute.type),
      mean_(weights.tensor("spynet.mean")),
      std_(weights.tensor("spynet.std")) {
  for (int level = 0; level < kLevels; ++level) {
    for (int i = 0; i < 5; ++i) {
      levels_[static_cast<std::size_t>(level)][static_cast<std::size_t>(i)] =
          weights.conv(format("spynet.basic_module.{}.basic_module.{}.conv", level, i));
    }
  }
}

SpyNet::Pyramid SpyNet::pyramid(const at::Tensor& picture) const {
  const at::Tensor resized =
      resize_half_pixel(picture, multiple_of_32(picture.size(2)), multiple_of_32(picture.size(3)));
  Pyramid levels(kLevels);
  levels.back() = ((resized - mean_) / std_).contiguous(at::MemoryFormat::ChannelsLast);
  for (std::size_t i = kLevels - 1; i > 0; --i) levels[i - 1] = half(levels[i]);
  return levels;
}

at::Tensor SpyNet::residue(int level, const at::Tensor& input) const {
  const auto& convs = levels_[static_cast<std::size_t>(level)];
  at::Tensor x = narrowed(input, type_).contiguous(at::MemoryFormat::ChannelsLast);
  for (std::size_t i = 0; i < 4; ++i) x = conv(convs[i], x, Activation::kRelu);
  return saturated(conv(convs[4], x, Activation::kNone)).to(at::kFloat);
}

at::Tensor SpyNet::flows_both_ways(const Pyramid& a,
                                   const Pyramid& b,
                                   std::int64_t height,
                                   std::int64_t width) const {
  at::Tensor flow;
  for (int level = 0; level < kLevels; ++level) {
    const auto i = static_cast<std::size_t>(level);
    const at::Tensor from = at::cat({a[i], b[i]});
    const at::Tensor to = at::cat({b[i], a[i]});
    const std::int64_t h = from.size(2);
    const std::int64_t w = from.size(3);
    if (level == 0) {
      flow = at::zeros({2, 2, h, w}, from.options());
    } else {
      flow = resize_corners(flow, h, w).mul_(2.0);
    }
    const at::Tensor warped = flow_warp(to, flow, kernels::WarpBorder::kClamp);
    flow = flow + residue(level, at::cat({from, warped, flow}, 1));
  }
  const double scale_x = static_cast<double>(width) / static_cast<double>(flow.size(3));
  const double scale_y = static_cast<double>(height) / static_cast<double>(flow.size(2));
  flow = resize_half_pixel(flow, height, width).contiguous(at::MemoryFormat::ChannelsLast);
  if (scale_x != 1.0) flow.select(1, 0).mul_(scale_x);
  if (scale_y != 1.0) flow.select(1, 1).mul_(scale_y);
  return flow;
}

}  // namespace vsr::model::reference
