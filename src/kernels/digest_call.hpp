// What the kernel of digests is started with: picture_digest.cpp works it out, the .cu file knows
// nothing but these numbers. Plain C++17 for its sake.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/axis_table.hpp"

#include <cstdint>

namespace vsr::kernels {

struct DigestCall {
  struct Plane {
    const void* samples = nullptr;
    std::int64_t pitch_bytes = 0;
    DeviceAxis across;
    DeviceAxis down;
  };

  Plane planes[3];
  int plane_count = 0;
  std::uint16_t* small = nullptr;  // [plane_count, height, width], averages * unit
  float unit = 1;
  int width = 0;
  int height = 0;
  void* rows = nullptr;  // [row_planes, 2 pairs, picture_width]
  int row_planes = 0;
  int pairs = 0;
  int picture_width = 0;
  int picture_height = 0;
};

// The first row of a pair.
constexpr int row_of_pair(int pair, int pairs, int height) {
  return static_cast<int>((2 * std::int64_t{pair} + 1) * (height - 1) / (2 * pairs));
}

// Samples of 1 or 2 bytes.
void start_digest(const DigestCall& call, int sample_bytes, gpu::StreamView stream);

}  // namespace vsr::kernels
