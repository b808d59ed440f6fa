#include "vsr/kernels/picture_digest.hpp"

#include "digest_call.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace vsr::kernels {

namespace {

// Of whatever size the picture is.
constexpr int kMostPairs = 96;

std::size_t plane_samples(const DigestShape& shape) {
  return static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(shape.height);
}

std::size_t small_bytes(const DigestShape& shape) {
  return sizeof(std::uint16_t) * static_cast<std::size_t>(plane_count(shape.picture)) *
         plane_samples(shape);
}

PictureFormat rows_format(const DigestShape& shape) {
  PictureFormat format = shape.picture;
  if (format.model == ColourModel::kYuv) format.model = ColourModel::kGray;
  format.height = 2 * digest_pairs(format.height);
  return format;
}

void check(const PictureView& picture, const DigestShape& shape) {
  if (picture.format == shape.picture) return;
  throw Error(ErrorCode::kInternal,
              format("a digest of {} for a picture of {}",
                     to_string(shape.picture),
                     to_string(picture.format)));
}

}  // namespace

DigestShape digest_shape(const PictureFormat& source,
                         const PictureFormat& picture,
                         const ColourDescription& colour) {
  return {picture,
          colour,
          std::min(source.width, picture.width),
          std::min(source.height, picture.height)};
}

std::size_t digest_bytes(const DigestShape& shape) {
  return small_bytes(shape) + packed_bytes(rows_format(shape));
}

int digest_pairs(int height) { return std::clamp(height - 1, 0, kMostPairs); }

int digest_row(int pair, int height) { return row_of_pair(pair, digest_pairs(height), height); }

float digest_unit(const DigestShape& shape) {
  return static_cast<float>(1 << (16 - shape.picture.bit_depth));
}

const std::uint16_t* digest_plane(const DigestShape& shape, const std::byte* digest, int plane) {
  return reinterpret_cast<const std::uint16_t*>(digest) +
         static_cast<std::size_t>(plane) * plane_samples(shape);
}

PictureView digest_rows(const DigestShape& shape, const std::byte* digest) {
  // Read only from here on.
  return packed_view(rows_format(shape), const_cast<std::byte*>(digest) + small_bytes(shape));
}

std::array<PlaneAxes, 2> digest_axes(const DigestShape& shape) {
  const auto axes = [&](int plane) {
    return plane_axes(shape.picture,
                      shape.colour.siting,
                      plane,
                      whole(shape.picture),
                      shape.width,
                      shape.height,
                      Enlarge::kLinear);
  };
  const bool has_chroma = shape.picture.model == ColourModel::kYuv;
  return {axes(0), axes(has_chroma ? 1 : 0)};
}

void make_digest(const PictureView& picture, const DigestShape& shape, std::byte* digest) {
  check(picture, shape);
  const std::array<PlaneAxes, 2> axes = digest_axes(shape);
  const float unit = digest_unit(shape);
  auto* small = reinterpret_cast<std::uint16_t*>(digest);
  std::vector<float> sums;
  std::vector<float> made(static_cast<std::size_t>(shape.width));
  for (int plane = 0; plane < plane_count(shape.picture); ++plane) {
    const auto& [across, down] = axes[is_chroma(shape.picture, plane) ? 1 : 0];
    for (int y = 0; y < shape.height; ++y, small += shape.width) {
      resample_row(picture, plane, across, down, y, sums, made.data());
      for (int x = 0; x < shape.width; ++x) {
        small[x] = static_cast<std::uint16_t>(made[static_cast<std::size_t>(x)] * unit + 0.5F);
      }
    }
  }
  const MutablePictureView rows = packed_view(rows_format(shape), digest + small_bytes(shape));
  for (int plane = 0; plane < plane_count(rows.format); ++plane) {
    const auto p = static_cast<std::size_t>(plane);
    for (int row = 0; row < rows.format.height; ++row) {
      const int from = digest_row(row / 2, shape.picture.height) + row % 2;
      std::memcpy(rows.planes[p] + row * rows.pitch_bytes[p],
                  picture.planes[p] + from * picture.pitch_bytes[p],
                  static_cast<std::size_t>(rows.pitch_bytes[p]));
    }
  }
}

void launch_digest(const PictureView& picture,
                   const DigestShape& shape,
                   const std::array<DevicePlaneAxes, 2>& axes,
                   std::byte* digest,
                   gpu::StreamView stream) {
  check(picture, shape);
  DigestCall call;
  call.plane_count = plane_count(shape.picture);
  for (int plane = 0; plane < call.plane_count; ++plane) {
    const auto p = static_cast<std::size_t>(plane);
    const DevicePlaneAxes& of_plane = axes[is_chroma(shape.picture, plane) ? 1 : 0];
    call.planes[p] = {picture.planes[p], picture.pitch_bytes[p], of_plane.across, of_plane.down};
  }
  call.small = reinterpret_cast<std::uint16_t*>(digest);
  call.unit = digest_unit(shape);
  call.width = shape.width;
  call.height = shape.height;
  call.rows = digest + small_bytes(shape);
  call.row_planes = plane_count(rows_format(shape));
  call.pairs = digest_pairs(shape.picture.height);
  call.picture_width = shape.picture.width;
  call.picture_height = shape.picture.height;
  start_digest(call, bytes_per_sample(shape.picture), stream);
}

}  // namespace vsr::kernels
