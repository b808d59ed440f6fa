#include "ops.hpp"

#include "vsr/kernels/resize.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <array>
#include <optional>

namespace vsr::model::reference {

namespace {

constexpr double kSlope = 0.1;
constexpr double kMostHalf = 65504;

// oneDNN's convolution with the activation fused. Called by name because only compiled graphs have
// a C++ face for it. It is called even where nothing is fused: at::conv2d picks its algorithm by
// the number of threads, and with it the order of its sums.
using FusedConv = at::Tensor(const at::Tensor&,
                             const at::Tensor&,
                             const std::optional<at::Tensor>&,
                             at::IntArrayRef,
                             at::IntArrayRef,
                             at::IntArrayRef,
                             std::int64_t,
                             std::string_view,
                             c10::List<std::optional<at::Scalar>>,
                             std::optional<std::string_view>);

std::optional<c10::TypedOperatorHandle<FusedConv>> find_fused_conv() {
  if (!at::globalContext().hasMKLDNN()) return std::nullopt;
  const auto found =
      c10::Dispatcher::singleton().findSchema({"mkldnn::_convolution_pointwise", ""});
  if (!found) return std::nullopt;
  return found->typed<FusedConv>();
}

at::Tensor conv_padded(const Conv& conv,
                       const at::Tensor& input,
                       Activation activation,
                       std::int64_t pad_y,
                       std::int64_t pad_x) {
  const std::array<std::int64_t, 2> padding{pad_y, pad_x};
  const std::array<std::int64_t, 2> stride{conv.stride, conv.stride};
  const std::array<std::int64_t, 2> dilation{1, 1};
  if (!input.is_cuda()) {
    static const auto kFused = find_fused_conv();
    if (kFused) {
      c10::List<std::optional<at::Scalar>> scalars;
      std::string_view name = "none";
      if (activation == Activation::kRelu) name = "relu";
      if (activation == Activation::kLeakyRelu) {
        name = "leaky_relu";
        scalars.push_back(at::Scalar(kSlope));
      }
      return kFused->call(
          input, conv.weight, conv.bias, padding, stride, dilation, 1, name, scalars, "");
    }
  }
  at::Tensor out = at::conv2d(input, conv.weight, conv.bias, stride, padding, dilation);
  if (activation == Activation::kRelu) {
    // At half's limit instead of infinity, for the price of the activation.
    if (out.scalar_type() == at::kHalf) {
      at::clamp_(out, 0, kMostHalf);
    } else {
      at::relu_(out);
    }
  }
  if (activation == Activation::kLeakyRelu) at::leaky_relu_(out, kSlope);
  return out;
}

}  // namespace

at::Tensor narrowed(const at::Tensor& values, at::ScalarType type) {
  constexpr double kMost = 16384;
  return type == at::kHalf ? at::clamp(values, -kMost, kMost).to(type) : values.to(type);
}

at::Tensor saturated(at::Tensor values) {
  if (values.scalar_type() == at::kHalf) at::clamp_(values, -kMostHalf, kMostHalf);
  return values;
}

at::Tensor conv(const Conv& conv, const at::Tensor& input, Activation activation) {
  const std::int64_t padding = conv.weight.size(2) / 2;
  return conv_padded(conv, input, activation, padding, padding);
}

at::Tensor run(const ResidualBlocks& blocks, const at::Tensor& input) {
  at::Tensor x = conv(blocks.input, input, Activation::kLeakyRelu);
  for (const auto& block : blocks.blocks) {
    const at::Tensor inner = conv(block.conv1, x, Activation::kRelu);
    x.add_(conv(block.conv2, inner, Activation::kNone));
  }
  return x;
}

Band band_of(const at::Tensor& map, std::int64_t begin, std::int64_t end) {
  const std::int64_t height = map.size(2);
  begin = std::max<std::int64_t>(begin, 0);
  end = std::min(end, height);
  return {map.narrow(2, begin, end - begin), begin, height};
}

Band conv(const Conv& conv, const Band& input, Activation activation) {
  const bool top = input.begin == 0;
  const bool bottom = input.end() == input.height;
  if (top && bottom) {
    return {conv_padded(conv, input.rows, activation, 1, 1), 0, input.height};
  }
  at::Tensor rows = input.rows;
  if (top || bottom) rows = at::constant_pad_nd(rows, {0, 0, top ? 1 : 0, bottom ? 1 : 0});
  return {conv_padded(conv, rows, activation, 0, 1), input.begin + (top ? 0 : 1), input.height};
}

Band shuffle(const Band& input) {
  const std::int64_t k = input.rows.size(1) / 4;
  const std::int64_t h = input.rows.size(2);
  const std::int64_t w = input.rows.size(3);
  // In memory: [h][w][dy][dx][k] -> [h][dy][w][dx][k].
  const at::Tensor out = input.rows.permute({0, 2, 3, 1})
                             .view({h, w, 2, 2 * k})
                             .permute({0, 2, 1, 3})
                             .contiguous()
                             .view({1, 2 * h, 2 * w, k})
                             .permute({0, 3, 1, 2});
  return {out, 2 * input.begin, 2 * input.height};
}

namespace {

at::Tensor resize(const at::Tensor& input,
                  std::int64_t height,
                  std::int64_t width,
                  kernels::ResizeGrid grid) {
  if (input.is_cuda()) {
    return at::upsample_bilinear2d(input, {height, width}, grid == kernels::ResizeGrid::kCorners);
  }
  // Planar maps are resized plane by plane, as so many maps of one channel.
  const bool planar = input.is_contiguous();
  const at::Tensor from = planar ? input : input.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor out = at::empty({from.size(0), from.size(1), height, width},
                             from.options().memory_format(planar ? at::MemoryFormat::Contiguous
                                                                 : at::MemoryFormat::ChannelsLast));
  const std::int64_t batch = planar ? from.size(0) * from.size(1) : from.size(0);
  const kernels::ResizeShape shape{.batch = static_cast<int>(batch),
                                   .height = static_cast<int>(from.size(2)),
                                   .width = static_cast<int>(from.size(3)),
                                   .channels = planar ? 1 : static_cast<int>(from.size(1)),
                                   .out_height = static_cast<int>(height),
                                   .out_width = static_cast<int>(width)};
  const float* values = from.data_ptr<float>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, batch * height, 16, [&](std::int64_t begin, std::int64_t end) {
    kernels::resize_rows(shape, grid, values, to, static_cast<int>(begin), static_cast<int>(end));
  });
  return out;
}

}  // namespace

at::Tensor resize_half_pixel(const at::Tensor& input, std::int64_t height, std::int64_t width) {
  if (input.size(2) == height && input.size(3) == width) return input;
  return resize(input, height, width, kernels::ResizeGrid::kHalfPixel);
}

at::Tensor resize_corners(const at::Tensor& input, std::int64_t height, std::int64_t width) {
  return resize(input, height, width, kernels::ResizeGrid::kCorners);
}

at::Tensor quarter(const at::Tensor& input) {
  const auto along = [](const at::Tensor& x, std::int64_t dim) {
    const auto phase = [&](std::int64_t first) { return x.slice(dim, first, std::nullopt, 4); };
    return (phase(1) + phase(2)) * 0.59375 - (phase(0) + phase(3)) * 0.09375;
  };
  return along(along(input, 2), 3);
}

at::Tensor half(const at::Tensor& input) { return at::avg_pool2d(input, {2, 2}); }

}  // namespace vsr::model::reference
