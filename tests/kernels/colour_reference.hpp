// Colour conversion and scaling once more, in double precision, by their definitions and without a
// thought for speed, to hold the fast ones against.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/kernels/colour_coefficients.hpp"
#include "vsr/kernels/lanczos.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace vsr::kernels::test {

// [3, height, width]
struct Rgb {
  int width = 0;
  int height = 0;
  std::vector<double> values;

  Rgb(int given_width, int given_height)
      : width(given_width),
        height(given_height),
        values(3 * static_cast<std::size_t>(given_width) * static_cast<std::size_t>(given_height)) {
  }

  double& at(int channel, int y, int x) { return values[index(channel, y, x)]; }

  double at(int channel, int y, int x) const { return values[index(channel, y, x)]; }

 private:
  std::size_t index(int channel, int y, int x) const {
    return static_cast<std::size_t>((std::int64_t{channel} * height + y) * width + x);
  }
};

inline int sample_at(const PictureView& picture, int plane, int y, int x) {
  const auto i = static_cast<std::size_t>(plane);
  const std::byte* row = picture.planes[i] + y * picture.pitch_bytes[i];
  if (bytes_per_sample(picture.format) == 1) return std::to_integer<int>(row[x]);
  std::uint16_t sample = 0;
  std::memcpy(&sample, row + 2 * static_cast<std::ptrdiff_t>(x), 2);
  return sample;
}

inline void set_sample(const MutablePictureView& picture, int plane, int y, int x, int value) {
  const auto i = static_cast<std::size_t>(plane);
  std::byte* row = picture.planes[i] + y * picture.pitch_bytes[i];
  if (bytes_per_sample(picture.format) == 1) {
    row[x] = static_cast<std::byte>(value);
  } else {
    const auto sample = static_cast<std::uint16_t>(value);
    std::memcpy(row + 2 * static_cast<std::ptrdiff_t>(x), &sample, 2);
  }
}

// Chroma (0 in the middle) where luma sample (y, x) lies, between the chroma samples around it.
inline double chroma_at(
    const PictureView& picture, const ColourDescription& colour, int plane, int y, int x) {
  const PictureFormat& format = picture.format;
  const SitingOffset siting = siting_offset(colour.siting);
  const double down = halved_down(format) ? (y - siting.y) / 2 : y;
  const double across = halved_across(format) ? (x - siting.x) / 2 : x;
  const double top = std::floor(down);
  const double left = std::floor(across);
  double sum = 0;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const double share = (1 - std::abs(down - top - i)) * (1 - std::abs(across - left - j));
      const int row = std::clamp(static_cast<int>(top) + i, 0, plane_height(format, plane) - 1);
      const int column = std::clamp(static_cast<int>(left) + j, 0, plane_width(format, plane) - 1);
      sum += share * sample_at(picture, plane, row, column);
    }
  }
  const Quantiser quantiser = quantiser_of(format.bit_depth, colour.full_range, true);
  return (sum - quantiser.offset) / quantiser.scale;
}

// Not clamped.
inline std::array<double, 3> rgb_at(const PictureView& picture,
                                    const ColourDescription& colour,
                                    int y,
                                    int x) {
  const PictureFormat& format = picture.format;
  const Quantiser quantiser = quantiser_of(format.bit_depth, colour.full_range, false);
  const auto plain = [&](int plane) {
    return (sample_at(picture, plane, y, x) - quantiser.offset) / quantiser.scale;
  };
  const double luma = plain(0);
  if (format.model == ColourModel::kGray) return {luma, luma, luma};
  if (format.model == ColourModel::kRgb) return {luma, plain(1), plain(2)};
  const LumaWeights k = luma_weights(colour.matrix);
  const double red = luma + 2 * (1 - k.kr) * chroma_at(picture, colour, 2, y, x);
  const double blue = luma + 2 * (1 - k.kb) * chroma_at(picture, colour, 1, y, x);
  return {red, (luma - k.kr * red - k.kb * blue) / k.kg(), blue};
}

// A sample before it is rounded, but within the format's range.
inline double exact_sample(const Rgb& rgb,
                           const PictureFormat& format,
                           const ColourDescription& colour,
                           int plane,
                           int y,
                           int x) {
  const auto unit = [&](int channel, int row, int column) {
    return std::clamp(rgb.at(channel, row, column), 0.0, 1.0);
  };
  const LumaWeights k = luma_weights(colour.matrix);
  const auto luma = [&](int row, int column) {
    return k.kr * unit(0, row, column) + k.kg() * unit(1, row, column) +
           k.kb * unit(2, row, column);
  };
  const bool chroma = format.model == ColourModel::kYuv && plane > 0;
  const Quantiser quantiser = quantiser_of(format.bit_depth, colour.full_range, chroma);
  double value = 0;
  if (format.model == ColourModel::kRgb) {
    value = unit(plane, y, x);
  } else if (!chroma) {
    value = luma(y, x);
  } else {
    const SitingOffset siting = siting_offset(colour.siting);
    // Share of full-size sample `at` in chroma sample i.
    const auto share = [](bool halved, int at, int i, double offset) {
      if (!halved) return at == i ? 1.0 : 0.0;
      return std::max(1 - std::abs(at - 2 * i - offset) / 2, 0.0) / 2;
    };
    const double weight = plane == 1 ? k.kb : k.kr;
    for (int row = 2 * y - 2; row <= 2 * y + 3; ++row) {
      for (int column = 2 * x - 2; column <= 2 * x + 3; ++column) {
        const int from_row = halved_down(format) ? row : row - y;  // around y either way
        const int from_column = halved_across(format) ? column : column - x;
        const double much = share(halved_down(format), from_row, y, siting.y) *
                            share(halved_across(format), from_column, x, siting.x);
        if (much == 0) continue;
        const int at_y = std::clamp(from_row, 0, rgb.height - 1);
        const int at_x = std::clamp(from_column, 0, rgb.width - 1);
        value +=
            much * (unit(plane == 1 ? 2 : 0, at_y, at_x) - luma(at_y, at_x)) / 2 / (1 - weight);
      }
    }
  }
  return std::clamp(value * quantiser.scale + quantiser.offset,
                    0.0,
                    static_cast<double>((1 << format.bit_depth) - 1));
}

// Clamped before, as the kernel does.
inline Rgb lanczos_scaled(const Rgb& from, const AxisTable& across, const AxisTable& down) {
  Rgb columns(from.width, down.out);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < down.out; ++y) {
      for (int tap = 0; tap < down.taps; ++tap) {
        const auto row = static_cast<std::size_t>(y);
        const double weight =
            static_cast<double>(down.weights[row * static_cast<std::size_t>(down.taps) +
                                             static_cast<std::size_t>(tap)]);
        for (int x = 0; x < from.width; ++x) {
          columns.at(c, y, x) +=
              weight * std::clamp(from.at(c, down.first[row] + tap, x), 0.0, 1.0);
        }
      }
    }
  }
  Rgb to(across.out, down.out);
  for (int c = 0; c < 3; ++c) {
    for (int x = 0; x < across.out; ++x) {
      for (int tap = 0; tap < across.taps; ++tap) {
        const auto column = static_cast<std::size_t>(x);
        const double weight =
            static_cast<double>(across.weights[column * static_cast<std::size_t>(across.taps) +
                                               static_cast<std::size_t>(tap)]);
        for (int y = 0; y < down.out; ++y) {
          to.at(c, y, x) += weight * columns.at(c, y, across.first[column] + tap);
        }
      }
    }
  }
  return to;
}

}  // namespace vsr::kernels::test
