// The CPU kernels themselves. Included by one file per instruction set, which differ in compiler
// flags alone; so nothing here may have linkage, and no standard header with inline functions is
// included (the linker would keep one copy for all instruction sets).
//
// Loops are written for the compiler to vectorise: over the samples of a pixel (positions, weights)
// and over the channels of a group (the sampling itself, feature maps being channels-last).
#pragma once

#include "sampling.hpp"

namespace vsr::kernels {
namespace {

constexpr int kOffsetChannels = 2 * kDeformSamples;

// e^x within 2e-7 relative, for |x| <= 87; clamped outside.
inline float exp_fast(float x) {
  x = x < 87.0f ? x : 87.0f;
  x = x > -87.0f ? x : -87.0f;
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer
  const float n = (x * 1.44269504f + kRounder) - kRounder;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int bits = (static_cast<int>(n) + 127) << 23;
  return p * __builtin_bit_cast(float, bits);
}

inline float tanh_fast(float x) { return 1.0f - 2.0f / (exp_fast(2.0f * x) + 1.0f); }

inline float sigmoid_fast(float x) { return 1.0f / (1.0f + exp_fast(-x)); }

// Also turns what is not a number into `low`.
inline float clamp(float x, float low, float high) {
  x = x > low ? x : low;
  return x < high ? x : high;
}

inline int clamp(int x, int low, int high) {
  x = x > low ? x : low;
  return x < high ? x : high;
}

// Where a sample's four neighbours are and how much of each it takes. Neighbours outside the
// picture point inside it and weigh nothing. REQUIRES: -1 <= y <= height, -1 <= x <= width.
struct Taps {
  int pixel[4];
  float weight[4];
};

inline Taps taps_at(float y, float x, int height, int width) {
  const float y_floor = __builtin_floorf(y);
  const float x_floor = __builtin_floorf(x);
  const int y0 = static_cast<int>(y_floor);
  const int x0 = static_cast<int>(x_floor);
  const float fy = y - y_floor;
  const float fx = x - x_floor;
  const float wy0 = y0 >= 0 && y0 < height ? 1.0f - fy : 0.0f;
  const float wy1 = y0 + 1 < height ? fy : 0.0f;
  const float wx0 = x0 >= 0 && x0 < width ? 1.0f - fx : 0.0f;
  const float wx1 = x0 + 1 < width ? fx : 0.0f;
  const int row0 = clamp(y0, 0, height - 1) * width;
  const int row1 = clamp(y0 + 1, 0, height - 1) * width;
  const int column0 = clamp(x0, 0, width - 1);
  const int column1 = clamp(x0 + 1, 0, width - 1);
  return {{row0 + column0, row0 + column1, row1 + column0, row1 + column1},
          {wy0 * wx0, wy0 * wx1, wy1 * wx0, wy1 * wx1}};
}

// `channels` values from four pixels. kFixed: the number of channels where it is known when
// compiling, else 0.
template <int kFixed>
inline void blend(const float* __restrict map,
                  const long stride,
                  const Taps& taps,
                  long channels,
                  float* __restrict out) {
  const long n = kFixed > 0 ? kFixed : channels;
  const float* a = map + taps.pixel[0] * stride;
  const float* b = map + taps.pixel[1] * stride;
  const float* c = map + taps.pixel[2] * stride;
  const float* d = map + taps.pixel[3] * stride;
  for (long i = 0; i < n; ++i) {
    out[i] = taps.weight[0] * a[i] + taps.weight[1] * b[i] + taps.weight[2] * c[i] +
             taps.weight[3] * d[i];
  }
}

template <int kFixed>
void warp_rows(const WarpShape& shape,
               WarpBorder border,
               const float* input,
               const float* flow,
               float* out,
               int row_begin,
               int row_end) {
  const int height = shape.height;
  const int width = shape.width;
  const long channels = shape.channels;
  const bool zeros = border == WarpBorder::kZeros;
  const float margin = zeros ? 1.0f : 0.0f;
  const float last_y = static_cast<float>(height - 1) + margin;
  const float last_x = static_cast<float>(width - 1) + margin;
  for (int row = row_begin; row < row_end; ++row) {
    const int y = row % height;
    const long first = static_cast<long>(row) * width;
    const float* map = input + static_cast<long>(row / height) * height * width * channels;
    for (int x = 0; x < width; ++x) {
      const float* f = flow + (first + x) * 2;
      const Taps taps = taps_at(clamp(static_cast<float>(y) + f[1], -margin, last_y),
                                clamp(static_cast<float>(x) + f[0], -margin, last_x),
                                height,
                                width);
      blend<kFixed>(map, channels, taps, channels, out + (first + x) * channels);
    }
  }
}

void flow_warp_rows_here(const WarpShape& shape,
                         WarpBorder border,
                         const float* input,
                         const float* flow,
                         float* out,
                         int row_begin,
                         int row_end) {
  switch (shape.channels) {
    case 2:
      return warp_rows<2>(shape, border, input, flow, out, row_begin, row_end);
    case 3:
      return warp_rows<3>(shape, border, input, flow, out, row_begin, row_end);
    case 32:
      return warp_rows<32>(shape, border, input, flow, out, row_begin, row_end);
    case 64:
      return warp_rows<64>(shape, border, input, flow, out, row_begin, row_end);
    default:
      return warp_rows<0>(shape, border, input, flow, out, row_begin, row_end);
  }
}

// The samples of one pixel: positions (already on the picture's grid) and masks, by group and tap.
struct PixelSamples {
  alignas(64) float y[kDeformSamples];
  alignas(64) float x[kDeformSamples];
  alignas(64) float mask[kDeformSamples];
};

// Where the samples of one pixel come from, structure of arrays for the vector units.
struct PixelTaps {
  alignas(64) int pixel[4][kDeformSamples];
  alignas(64) float weight[4][kDeformSamples];
};

inline void find_taps(const PixelSamples& samples, int height, int width, PixelTaps& taps) {
  const float bottom = static_cast<float>(height);
  const float right = static_cast<float>(width);
  for (int i = 0; i < kDeformSamples; ++i) {
    const Taps at = taps_at(
        clamp(samples.y[i], -1.0f, bottom), clamp(samples.x[i], -1.0f, right), height, width);
    const float mask = samples.mask[i];
    taps.pixel[0][i] = at.pixel[0];
    taps.pixel[1][i] = at.pixel[1];
    taps.pixel[2][i] = at.pixel[2];
    taps.pixel[3][i] = at.pixel[3];
    taps.weight[0][i] = at.weight[0] * mask;
    taps.weight[1][i] = at.weight[1] * mask;
    taps.weight[2][i] = at.weight[2] * mask;
    taps.weight[3][i] = at.weight[3] * mask;
  }
}

// kFixed: channels of a group where known when compiling, else 0.
template <int kFixed>
inline void sample_pixel(
    const float* x1, const float* x2, long channels, const PixelTaps& taps, float* column) {
  const long n = kFixed > 0 ? kFixed : channels / 8;
  for (long group = 0; group < kDeformGroups; ++group) {
    const float* map = (group < 8 ? x1 : x2) + (group % 8) * n;
    for (long tap = 0; tap < kDeformTaps; ++tap) {
      const long i = group * kDeformTaps + tap;
      const Taps at{{taps.pixel[0][i], taps.pixel[1][i], taps.pixel[2][i], taps.pixel[3][i]},
                    {taps.weight[0][i], taps.weight[1][i], taps.weight[2][i], taps.weight[3][i]}};
      blend<kFixed>(map, channels, at, n, column + tap * 2 * channels + group * n);
    }
  }
}

// Calls position(pixel, y, x, samples) and samples, for each pixel of the range.
template <int kFixed, typename Position>
void columns_of(const DeformShape& shape,
                const float* x1,
                const float* x2,
                float* columns,
                const PixelRange& pixels,
                const Position& position) {
  PixelSamples samples{};
  PixelTaps taps{};
  const long channels = shape.channels;
  for (std::int64_t pixel = pixels.begin; pixel < pixels.end; ++pixel) {
    const int y = static_cast<int>(pixel / shape.width);
    const int x = static_cast<int>(pixel % shape.width);
    position(pixel, static_cast<float>(y), static_cast<float>(x), samples);
    find_taps(samples, shape.height, shape.width, taps);
    sample_pixel<kFixed>(
        x1, x2, channels, taps, columns + (pixel - pixels.begin) * kDeformTaps * 2 * channels);
  }
}

template <typename Position>
void columns_by_group_size(const DeformShape& shape,
                           const float* x1,
                           const float* x2,
                           float* columns,
                           const PixelRange& pixels,
                           const Position& position) {
  switch (shape.channels / 8) {
    case 2:
      return columns_of<2>(shape, x1, x2, columns, pixels, position);
    case 4:
      return columns_of<4>(shape, x1, x2, columns, pixels, position);
    case 8:
      return columns_of<8>(shape, x1, x2, columns, pixels, position);
    case 16:
      return columns_of<16>(shape, x1, x2, columns, pixels, position);
    default:
      return columns_of<0>(shape, x1, x2, columns, pixels, position);
  }
}

// Tap positions relative to the pixel, by sample.
struct TapGrid {
  alignas(64) float y[kDeformSamples] = {};
  alignas(64) float x[kDeformSamples] = {};

  TapGrid() {
    for (int i = 0; i < kDeformSamples; ++i) {
      const int tap = i % kDeformTaps;
      const int row = tap / 3;
      y[i] = static_cast<float>(row - 1);
      x[i] = static_cast<float>(tap % 3 - 1);
    }
  }
};

void align_columns_here(const HostAlignInput& input, const PixelRange& pixels) {
  const TapGrid grid;
  const auto position = [&](std::int64_t pixel, float y, float x, PixelSamples& samples) {
    const float* heads = input.heads + (pixel - pixels.begin) * kDeformHeadChannels;
    alignas(64) float residue[kOffsetChannels];
    for (int i = 0; i < kOffsetChannels; ++i) residue[i] = kMaxResidue * tanh_fast(heads[i]);
    for (int i = 0; i < kDeformSamples; ++i) {
      samples.mask[i] = sigmoid_fast(heads[kOffsetChannels + i]);
    }
    const float* flows[2] = {input.flow1 + pixel * 2, input.flow2 + pixel * 2};
    for (int half = 0; half < 2; ++half) {
      const float base_y = y + flows[half][1];
      const float base_x = x + flows[half][0];
      const int first = half * (kDeformSamples / 2);
      for (int i = first; i < first + kDeformSamples / 2; ++i) {
        // 2 * i stays small, and with a long i AVX-512 takes 1.6 times as long here.
        // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result)
        samples.y[i] = base_y + grid.y[i] + residue[2 * i];
        samples.x[i] = base_x + grid.x[i] + residue[2 * i + 1];
      }
    }
  };
  columns_by_group_size(input.shape, input.x1, input.x2, input.columns, pixels, position);
}

void deform_columns_here(const HostDeformInput& input, const PixelRange& pixels) {
  const TapGrid grid;
  const auto position = [&](std::int64_t pixel, float y, float x, PixelSamples& samples) {
    const float* offsets = input.offsets + (pixel - pixels.begin) * kOffsetChannels;
    const float* masks = input.masks + (pixel - pixels.begin) * kDeformSamples;
    for (int i = 0; i < kDeformSamples; ++i) {
      // As above: 2 * i stays small.
      // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result)
      samples.y[i] = y + grid.y[i] + offsets[2 * i];
      samples.x[i] = x + grid.x[i] + offsets[2 * i + 1];
      samples.mask[i] = masks[i];
    }
  };
  columns_by_group_size(input.shape, input.x1, input.x2, input.columns, pixels, position);
}

}  // namespace
}  // namespace vsr::kernels
