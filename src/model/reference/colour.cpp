#include "colour.hpp"

#include "vsr/kernels/colour_coefficients.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/replication_pad2d.h>
#include <ATen/ops/round.h>
#include <ATen/ops/stack.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace vsr::model::reference {

namespace {

using kernels::luma_weights;
using kernels::LumaWeights;
using kernels::Quantiser;
using kernels::quantiser_of;
using kernels::siting_offset;
using kernels::SitingOffset;

bool halved(const PictureFormat& format, std::int64_t dim) {
  return dim == 3 ? kernels::halved_across(format) : kernels::halved_down(format);
}

// `before` and `after` samples more along `dim`, copies of the edge.
at::Tensor repeat_edge(const at::Tensor& x,
                       std::int64_t dim,
                       std::int64_t before,
                       std::int64_t after) {
  if (dim == 3) return at::replication_pad2d(x, {before, after, 0, 0});
  return at::replication_pad2d(x, {0, 0, before, after});
}

// To `size` samples along `dim`, sample i of x lying at 2i + offset.
at::Tensor upsample(const at::Tensor& x, std::int64_t dim, double offset, std::int64_t size) {
  const std::int64_t count = x.size(dim);
  const at::Tensor padded = repeat_edge(x, dim, 1, 1);
  const at::Tensor previous = padded.narrow(dim, 0, count);
  const at::Tensor next = padded.narrow(dim, 2, count);
  const kernels::ChromaNeighbours shares = kernels::chroma_neighbours(offset);
  const at::Tensor even = x * (1 - shares.even) + previous * shares.even;
  const at::Tensor odd = x * (1 - shares.odd) + next * shares.odd;
  return at::stack({even, odd}, dim + 1).flatten(dim, dim + 1).narrow(dim, 0, size);
}

// To half the samples along `dim` (rounded up), sample i of the result lying at 2i + offset: a
// triangle two samples to each side.
at::Tensor downsample(const at::Tensor& x, std::int64_t dim, double offset) {
  const std::int64_t count = (x.size(dim) + 1) / 2;
  const at::Tensor padded = repeat_edge(x, dim, 1, 3);
  const std::array<double, 4> taps = kernels::chroma_taps(offset);
  at::Tensor sum;
  for (int tap = 0; tap < 4; ++tap) {
    const double share = taps[static_cast<std::size_t>(tap)];
    if (share == 0) continue;
    const at::Tensor part = padded.slice(dim, tap, tap + 2 * count, 2) * share;
    sum = sum.defined() ? sum.add_(part) : part;
  }
  return sum;
}

at::Tensor read_plane(const at::Tensor& plane, const PictureFormat& format, const Quantiser& q) {
  at::Tensor values = plane;
  // 16-bit samples are negative as int16.
  if (format.bit_depth == 16) values = values.to(at::kInt).bitwise_and(0xffff);
  return (values.to(at::kFloat) - q.offset).div_(q.scale).unsqueeze(0).unsqueeze(0);
}

at::Tensor write_plane(const at::Tensor& values, const PictureFormat& format, const Quantiser& q) {
  const double most = static_cast<double>((1 << format.bit_depth) - 1);
  const at::Tensor samples = (values * q.scale + q.offset).round_().clamp_(0, most);
  // By way of int: a float beyond int16 has no defined conversion to it.
  return samples.to(at::kInt).to(sample_type(format)).squeeze(0).squeeze(0).contiguous();
}

}  // namespace

at::ScalarType sample_type(const PictureFormat& format) {
  return bytes_per_sample(format) == 1 ? at::kByte : at::kShort;
}

at::Tensor planes_to_rgb(const Planes& planes,
                         const PictureFormat& format,
                         const ColourDescription& colour) {
  const Quantiser luma_scale = quantiser_of(format.bit_depth, colour.full_range, false);
  if (format.model != ColourModel::kYuv) {
    std::vector<at::Tensor> channels;
    for (const at::Tensor& plane : planes) {
      channels.push_back(read_plane(plane, format, luma_scale));
    }
    while (channels.size() < 3) channels.push_back(channels.front());
    return at::cat(channels, 1);
  }
  const Quantiser chroma_scale = quantiser_of(format.bit_depth, colour.full_range, true);
  const SitingOffset siting = siting_offset(colour.siting);
  const auto chroma = [&](std::size_t plane) {
    at::Tensor x = read_plane(planes[plane], format, chroma_scale);
    if (halved(format, 2)) x = upsample(x, 2, siting.y, format.height);
    if (halved(format, 3)) x = upsample(x, 3, siting.x, format.width);
    return x;
  };
  const at::Tensor y = read_plane(planes[0], format, luma_scale);
  const at::Tensor u = chroma(1);
  const at::Tensor v = chroma(2);
  const LumaWeights k = luma_weights(colour.matrix);
  const at::Tensor r = y + v * (2 * (1 - k.kr));
  const at::Tensor b = y + u * (2 * (1 - k.kb));
  const at::Tensor g =
      y - u * (2 * k.kb * (1 - k.kb) / k.kg()) - v * (2 * k.kr * (1 - k.kr) / k.kg());
  return at::cat({r, g, b}, 1);
}

Planes rgb_to_planes(const at::Tensor& rgb,
                     const PictureFormat& format,
                     const ColourDescription& colour) {
  const at::Tensor clamped = rgb.clamp(0, 1);
  const auto channel = [&](std::int64_t i) { return clamped.narrow(1, i, 1); };
  const Quantiser luma_scale = quantiser_of(format.bit_depth, colour.full_range, false);
  if (format.model == ColourModel::kRgb) {
    Planes planes;
    for (std::int64_t i = 0; i < 3; ++i) {
      planes.push_back(write_plane(channel(i), format, luma_scale));
    }
    return planes;
  }
  const LumaWeights k = luma_weights(colour.matrix);
  const at::Tensor y = channel(0) * k.kr + channel(1) * k.kg() + channel(2) * k.kb;
  Planes planes{write_plane(y, format, luma_scale)};
  if (format.model == ColourModel::kGray) return planes;
  const Quantiser chroma_scale = quantiser_of(format.bit_depth, colour.full_range, true);
  const SitingOffset siting = siting_offset(colour.siting);
  const auto chroma = [&](const at::Tensor& primary, double weight) {
    at::Tensor x = (primary - y) / (2 * (1 - weight));
    if (halved(format, 3)) x = downsample(x, 3, siting.x);
    if (halved(format, 2)) x = downsample(x, 2, siting.y);
    return write_plane(x, format, chroma_scale);
  };
  planes.push_back(chroma(channel(2), k.kb));
  planes.push_back(chroma(channel(0), k.kr));
  return planes;
}

}  // namespace vsr::model::reference
