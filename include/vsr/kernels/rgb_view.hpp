// A picture's R, G and B in device memory, planar, as kernels pass it on. Borrowed; the network's
// pictures may be larger than what is seen of them.
#pragma once

#include "vsr/kernels/element_type.hpp"

#include <cstdint>

namespace vsr::kernels {

// [3, height, width] of `type`: kFloat or kHalf.
struct RgbView {
  const void* data = nullptr;
  ElementType type = ElementType::kFloat;
  int width = 0;
  int height = 0;
  std::int64_t row_stride_elems = 0;    // from a row to the next; at least width
  std::int64_t plane_stride_elems = 0;  // from a channel to the next
};

// [3, height, width], fp32.
struct MutableRgbView {
  float* data = nullptr;
  int width = 0;
  int height = 0;
  std::int64_t row_stride_elems = 0;
  std::int64_t plane_stride_elems = 0;

  operator RgbView() const {  // NOLINT(google-explicit-constructor)
    return {data, ElementType::kFloat, width, height, row_stride_elems, plane_stride_elems};
  }
};

}  // namespace vsr::kernels
