// The sampling kernels once more, in double precision and without a thought for speed, to hold the
// fast ones against.
#pragma once

#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_warp.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace vsr::kernels::test {

inline std::vector<float> random_values(std::size_t count, float low, float high, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> values(low, high);
  std::vector<float> made(count);
  for (float& value : made) value = values(engine);
  return made;
}

// Values of a map with that many channels.
inline std::size_t size_of(const WarpShape& shape, int channels) {
  return static_cast<std::size_t>(shape.batch) * static_cast<std::size_t>(shape.height) *
         static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(channels);
}

// Bilinear sample of channel `channel` of map [height, width, stride], zero outside.
inline double sample(
    const float* map, int height, int width, int stride, int channel, double y, double x) {
  const auto at = [&](double row, double column) {
    if (row < 0 || row >= height || column < 0 || column >= width) return 0.0;
    const auto pixel = static_cast<std::int64_t>(row) * width + static_cast<std::int64_t>(column);
    return static_cast<double>(map[pixel * stride + channel]);
  };
  const double y0 = std::floor(y);
  const double x0 = std::floor(x);
  const double fy = y - y0;
  const double fx = x - x0;
  return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) +
         fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1));
}

inline std::vector<float> warp(const WarpShape& shape,
                               WarpBorder border,
                               const std::vector<float>& input,
                               const std::vector<float>& flow) {
  std::vector<float> out(input.size());
  const std::size_t picture = static_cast<std::size_t>(shape.height) *
                              static_cast<std::size_t>(shape.width) *
                              static_cast<std::size_t>(shape.channels);
  std::size_t next = 0;
  for (int b = 0; b < shape.batch; ++b) {
    const float* map = input.data() + static_cast<std::size_t>(b) * picture;
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        const std::size_t pixel = next / static_cast<std::size_t>(shape.channels);
        double sy = y + static_cast<double>(flow[pixel * 2 + 1]);
        double sx = x + static_cast<double>(flow[pixel * 2]);
        if (border == WarpBorder::kClamp) {
          sy = std::fmin(std::fmax(sy, 0), shape.height - 1);
          sx = std::fmin(std::fmax(sx, 0), shape.width - 1);
        }
        for (int c = 0; c < shape.channels; ++c) {
          out[next++] =
              static_cast<float>(sample(map, shape.height, shape.width, shape.channels, c, sy, sx));
        }
      }
    }
  }
  return out;
}

// Everything align_columns() needs, made up, and what it should give.
struct AlignCase {
  DeformShape shape;
  std::vector<float> x1;
  std::vector<float> x2;
  std::vector<float> heads;
  std::vector<float> flow1;
  std::vector<float> flow2;

  explicit AlignCase(const DeformShape& of_shape, unsigned seed) : shape(of_shape) {
    const std::size_t pixels =
        static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width);
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    x1 = random_values(pixels * channels, -1, 1, seed);
    x2 = random_values(pixels * channels, -1, 1, seed + 1);
    heads = random_values(pixels * kDeformHeadChannels, -3, 3, seed + 2);
    flow1 = random_values(pixels * 2, -9, 9, seed + 3);
    flow2 = random_values(pixels * 2, -9, 9, seed + 4);
  }

  std::size_t pixels() const { return flow1.size() / 2; }

  std::size_t column_size() const {
    return kDeformTaps * 2 * static_cast<std::size_t>(shape.channels);
  }

  HostAlignInput input(float* columns) const {
    return {shape, x1.data(), x2.data(), heads.data(), flow1.data(), flow2.data(), columns};
  }

  // The offsets and masks that the heads and flows amount to.
  void plain(std::vector<float>& offsets, std::vector<float>& masks) const {
    offsets.clear();
    masks.clear();
    for (std::size_t pixel = 0; pixel < pixels(); ++pixel) {
      const float* head = heads.data() + pixel * kDeformHeadChannels;
      for (std::size_t s = 0; s < kDeformSamples; ++s) {
        const float* flow = (s < kDeformSamples / 2 ? flow1 : flow2).data() + pixel * 2;
        offsets.push_back(static_cast<float>(10 * std::tanh(static_cast<double>(head[2 * s])) +
                                             static_cast<double>(flow[1])));
        offsets.push_back(static_cast<float>(10 * std::tanh(static_cast<double>(head[2 * s + 1])) +
                                             static_cast<double>(flow[0])));
        const double mask = head[2 * kDeformSamples + s];
        masks.push_back(static_cast<float>(1 / (1 + std::exp(-mask))));
      }
    }
  }

  std::vector<float> expected() const {
    std::vector<float> offsets;
    std::vector<float> masks;
    plain(offsets, masks);
    const int group_channels = shape.channels / 8;
    std::vector<float> columns(pixels() * column_size());
    for (std::size_t pixel = 0; pixel < pixels(); ++pixel) {
      const int y = static_cast<int>(pixel) / shape.width;
      const int x = static_cast<int>(pixel) % shape.width;
      for (int group = 0; group < kDeformGroups; ++group) {
        for (int tap = 0; tap < kDeformTaps; ++tap) {
          const int down = tap / 3 - 1;
          const int right = tap % 3 - 1;
          const std::size_t s =
              pixel * kDeformSamples + static_cast<std::size_t>(group * kDeformTaps + tap);
          for (int i = 0; i < group_channels; ++i) {
            const int channel = group * group_channels + i;
            const std::vector<float>& map = group < 8 ? x1 : x2;
            const double value = sample(map.data(),
                                        shape.height,
                                        shape.width,
                                        shape.channels,
                                        channel % shape.channels,
                                        y + down + static_cast<double>(offsets[2 * s]),
                                        x + right + static_cast<double>(offsets[2 * s + 1]));
            columns[pixel * column_size() + static_cast<std::size_t>(tap * 2 * shape.channels) +
                    static_cast<std::size_t>(channel)] =
                static_cast<float>(value * static_cast<double>(masks[s]));
          }
        }
      }
    }
    return columns;
  }
};

inline double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= most)) most = difference;
  }
  return most;
}

}  // namespace vsr::kernels::test
