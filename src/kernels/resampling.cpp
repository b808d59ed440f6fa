#include "vsr/kernels/resampling.hpp"

#include "vsr/kernels/colour_coefficients.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace vsr::kernels {

namespace {

double cubic_weight(double distance) {
  constexpr double kA = -0.5;
  const double d = std::abs(distance);
  if (d < 1) return ((kA + 2) * d - (kA + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * kA - 4 * kA : 0;
}

struct Reach {
  double low;   // of what sample j made covers
  double high;  // its end

  double middle() const { return (low + high) / 2 - 0.5; }  // as an index
};

// What samples are told apart by: rounding of `begin + j * step` must not reach into another one.
constexpr double kHair = 1e-9;

int first_of(const Reach& reach, bool average, Enlarge enlarge) {
  if (average) return static_cast<int>(std::floor(reach.low + kHair));
  return static_cast<int>(std::floor(reach.middle() + kHair)) -
         (enlarge == Enlarge::kCubic ? 1 : 0);
}

double weight_of(int index, const Reach& reach, bool average, Enlarge enlarge) {
  if (average) {
    return std::max(0.0, std::min(reach.high, index + 1.0) - std::max(reach.low, double(index))) /
           (reach.high - reach.low);
  }
  const double distance = reach.middle() - index;
  return enlarge == Enlarge::kCubic ? cubic_weight(distance)
                                    : std::max(0.0, 1 - std::abs(distance));
}

// The sum of the rows that row `y` is made of.
template <typename Sample>
void add_rows(const std::byte* plane,
              std::ptrdiff_t pitch_bytes,
              const AxisTable& down,
              int y,
              int begin,
              int end,
              float* sums) {
  std::fill(sums + begin, sums + end, 0.0F);
  for (int t = 0; t < down.taps; ++t) {
    const float weight = down.weights[static_cast<std::size_t>(y * down.taps + t)];
    if (weight == 0) continue;
    const auto* row = reinterpret_cast<const Sample*>(
        plane + (down.first[static_cast<std::size_t>(y)] + t) * pitch_bytes);
    for (int x = begin; x < end; ++x) sums[x] += weight * static_cast<float>(row[x]);
  }
}

// Then of columns. kTaps: of the axis, or 0 where the loop's length is not known when compiling.
template <int kTaps>
void add_columns(const AxisTable& across, const float* sums, float* row) {
  const int taps = kTaps > 0 ? kTaps : across.taps;
  const float* weights = across.weights.data();
  for (int x = 0; x < across.out; ++x, weights += taps) {
    const float* samples = sums + across.first[static_cast<std::size_t>(x)];
    float sum = 0;
    for (int t = 0; t < taps; ++t) sum += weights[t] * samples[t];
    row[x] = sum;
  }
}

// From luma's pixels to a chroma plane's of half as many, the first of which lies `offset` behind
// the first of luma.
double halved(double place, double offset) { return (place - 0.5 - offset) / 2 + 0.5; }

}  // namespace

AxisTable make_axis(int length, double begin, double step, int count, Enlarge enlarge) {
  const bool as_it_is = step == 1 && begin == std::floor(begin);
  const bool average = step > 1 || as_it_is;
  const auto reach = [&](int j) { return Reach{begin + j * step, begin + (j + 1) * step}; };
  AxisTable axis;
  axis.in = length;
  axis.out = count;
  axis.taps = enlarge == Enlarge::kCubic ? 4 : 2;
  if (average) {
    axis.taps = 1;
    for (int j = 0; j < count; ++j) {
      const int end = static_cast<int>(std::ceil(reach(j).high - kHair));
      axis.taps = std::max(axis.taps, end - first_of(reach(j), average, enlarge));
    }
  }
  const int taps = axis.taps;
  axis.taps = std::min(taps, length);
  axis.weights.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(axis.taps));
  for (int j = 0; j < count; ++j) {
    const int first = first_of(reach(j), average, enlarge);
    axis.first.push_back(std::clamp(first, 0, length - axis.taps));
    double sum = 0;
    for (int i = first; i < first + taps; ++i) sum += weight_of(i, reach(j), average, enlarge);
    for (int i = first; i < first + taps; ++i) {
      const int tap = std::clamp(i, 0, length - 1) - axis.first.back();
      axis.weights[static_cast<std::size_t>(j * axis.taps + tap)] +=
          static_cast<float>(weight_of(i, reach(j), average, enlarge) / sum);
    }
  }
  return axis;
}

Region whole(const PictureFormat& format) {
  return {0, 0, static_cast<double>(format.width), static_cast<double>(format.height)};
}

PlaneAxes plane_axes(const PictureFormat& format,
                     ChromaSiting siting,
                     int plane,
                     const Region& region,
                     int width,
                     int height,
                     Enlarge enlarge) {
  double x = region.x;
  double y = region.y;
  double step_x = region.width / width;
  double step_y = region.height / height;
  const SitingOffset offset = siting_offset(siting);
  if (is_chroma(format, plane) && halved_across(format)) {
    x = halved(x, offset.x);
    step_x /= 2;
  }
  if (is_chroma(format, plane) && halved_down(format)) {
    y = halved(y, offset.y);
    step_y /= 2;
  }
  return {make_axis(plane_width(format, plane), x, step_x, width, enlarge),
          make_axis(plane_height(format, plane), y, step_y, height, enlarge)};
}

bool is_chroma(const PictureFormat& format, int plane) {
  return format.model == ColourModel::kYuv && plane > 0;
}

void resample_row(const PictureView& picture,
                  int plane,
                  const AxisTable& across,
                  const AxisTable& down,
                  int y,
                  std::vector<float>& sums,
                  float* row) {
  const auto p = static_cast<std::size_t>(plane);
  sums.resize(static_cast<std::size_t>(plane_width(picture.format, plane)));
  const int begin = across.first.front();
  const int end = across.first.back() + across.taps;
  if (bytes_per_sample(picture.format) == 2) {
    add_rows<std::uint16_t>(
        picture.planes[p], picture.pitch_bytes[p], down, y, begin, end, sums.data());
  } else {
    add_rows<std::uint8_t>(
        picture.planes[p], picture.pitch_bytes[p], down, y, begin, end, sums.data());
  }
  switch (across.taps) {
    case 1:
      return add_columns<1>(across, sums.data(), row);
    case 2:
      return add_columns<2>(across, sums.data(), row);
    case 3:
      return add_columns<3>(across, sums.data(), row);
    case 4:
      return add_columns<4>(across, sums.data(), row);
    default:
      return add_columns<0>(across, sums.data(), row);
  }
}

}  // namespace vsr::kernels
