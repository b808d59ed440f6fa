#include "vsr/kernels/resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace vsr::kernels {

namespace {

// The two input samples of an output sample, and how much of the second.
struct Tap {
  int first = 0;
  int second = 0;
  float weight = 0;
};

Tap tap_at(int i, int in, int out, ResizeGrid grid) {
  double at = 0;
  if (grid == ResizeGrid::kHalfPixel) {
    at = std::max((i + 0.5) * in / out - 0.5, 0.0);
  } else if (out > 1) {
    at = static_cast<double>(i) * (in - 1) / (out - 1);
  }
  const int first = std::min(static_cast<int>(at), in - 1);
  return {first, std::min(first + 1, in - 1), static_cast<float>(at - first)};
}

// kFixed: the number of channels where it is known when compiling, else 0.
template <int kFixed>
void resize_row(const float* upper,
                const float* lower,
                float weight,
                const std::vector<Tap>& taps,
                int channels,
                float* out) {
  const int n = kFixed > 0 ? kFixed : channels;
  for (const Tap& tap : taps) {
    const std::ptrdiff_t first = std::ptrdiff_t{tap.first} * n;
    const std::ptrdiff_t second = std::ptrdiff_t{tap.second} * n;
    for (int c = 0; c < n; ++c) {
      const float above = upper[first + c] + tap.weight * (upper[second + c] - upper[first + c]);
      const float below = lower[first + c] + tap.weight * (lower[second + c] - lower[first + c]);
      *out++ = above + weight * (below - above);
    }
  }
}

}  // namespace

void resize_rows(const ResizeShape& shape,
                 ResizeGrid grid,
                 const float* input,
                 float* out,
                 int row_begin,
                 int row_end) {
  std::vector<Tap> taps;
  taps.reserve(static_cast<std::size_t>(shape.out_width));
  for (int x = 0; x < shape.out_width; ++x) {
    taps.push_back(tap_at(x, shape.width, shape.out_width, grid));
  }
  const std::ptrdiff_t pitch = std::ptrdiff_t{shape.width} * shape.channels;
  const std::ptrdiff_t out_pitch = std::ptrdiff_t{shape.out_width} * shape.channels;
  for (int row = row_begin; row < row_end; ++row) {
    const Tap tap = tap_at(row % shape.out_height, shape.height, shape.out_height, grid);
    const float* picture = input + std::ptrdiff_t{row / shape.out_height} * shape.height * pitch;
    const float* upper = picture + tap.first * pitch;
    const float* lower = picture + tap.second * pitch;
    float* to = out + row * out_pitch;
    switch (shape.channels) {
      case 1:
        resize_row<1>(upper, lower, tap.weight, taps, 1, to);
        break;
      case 2:
        resize_row<2>(upper, lower, tap.weight, taps, 2, to);
        break;
      case 3:
        resize_row<3>(upper, lower, tap.weight, taps, 3, to);
        break;
      default:
        resize_row<0>(upper, lower, tap.weight, taps, shape.channels, to);
    }
  }
}

}  // namespace vsr::kernels
