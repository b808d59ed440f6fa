#include "resample.hpp"

#include "vsr/kernels/colour_coefficients.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace vsr::pipeline {

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
              const Axis& down,
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

// Row `y` of a plane at another size, as value = (sample - offset) / scale.
void read_row(const PictureView& picture,
              int plane,
              const kernels::Quantiser& quantiser,
              const Axis& across,
              const Axis& down,
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
  const auto factor = static_cast<float>(1 / quantiser.scale);
  const auto black = static_cast<float>(quantiser.offset / quantiser.scale);
  const int count = across.count();
  const float* weights = across.weights.data();
  for (int x = 0; x < count; ++x, weights += across.taps) {
    const float* samples = sums.data() + across.first[static_cast<std::size_t>(x)];
    float sum = 0;
    for (int t = 0; t < across.taps; ++t) sum += weights[t] * samples[t];
    row[x] = sum * factor - black;
  }
}

bool is_chroma(const PictureFormat& format, int plane) {
  return format.model == ColourModel::kYuv && plane > 0;
}

kernels::Quantiser quantiser_of(const PictureFormat& format,
                                const ColourDescription& colour,
                                int plane) {
  return kernels::quantiser_of(format.bit_depth,
                               colour.full_range || format.model == ColourModel::kRgb,
                               is_chroma(format, plane));
}

// From luma's pixels to a chroma plane's of half as many, the first of which lies `offset` behind
// the first of luma.
double halved(double place, double offset) { return (place - 0.5 - offset) / 2 + 0.5; }

struct Axes {
  Axis across;
  Axis down;
};

Axes axes_of(const PictureFormat& format,
             const ColourDescription& colour,
             int plane,
             const Region& region,
             int width,
             int height,
             Enlarge enlarge) {
  double x = region.x;
  double y = region.y;
  double step_x = region.width / width;
  double step_y = region.height / height;
  const kernels::SitingOffset offset = kernels::siting_offset(colour.siting);
  if (is_chroma(format, plane) && kernels::halved_across(format)) {
    x = halved(x, offset.x);
    step_x /= 2;
  }
  if (is_chroma(format, plane) && kernels::halved_down(format)) {
    y = halved(y, offset.y);
    step_y /= 2;
  }
  return {make_axis(plane_width(format, plane), x, step_x, width, enlarge),
          make_axis(plane_height(format, plane), y, step_y, height, enlarge)};
}

// Y'CbCr in the planes becomes R'G'B'.
void to_rgb(const kernels::LumaWeights& weights, RgbPicture& picture) {
  const auto red_of_cr = static_cast<float>(2 * (1 - weights.kr));
  const auto blue_of_cb = static_cast<float>(2 * (1 - weights.kb));
  const auto green_of_cr = static_cast<float>(-2 * (1 - weights.kr) * weights.kr / weights.kg());
  const auto green_of_cb = static_cast<float>(-2 * (1 - weights.kb) * weights.kb / weights.kg());
  float* const first = picture.planes[0].data();
  float* const second = picture.planes[1].data();
  float* const third = picture.planes[2].data();
  const std::size_t count = picture.planes[0].size();
  for (std::size_t i = 0; i < count; ++i) {
    const float luma = first[i];
    const float cb = second[i];
    const float cr = third[i];
    first[i] = luma + red_of_cr * cr;
    second[i] = luma + green_of_cb * cb + green_of_cr * cr;
    third[i] = luma + blue_of_cb * cb;
  }
}

}  // namespace

Axis make_axis(int length, double begin, double step, int count, Enlarge enlarge) {
  const bool as_it_is = step == 1 && begin == std::floor(begin);
  const bool average = step > 1 || as_it_is;
  const auto reach = [&](int j) { return Reach{begin + j * step, begin + (j + 1) * step}; };
  Axis axis;
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

RgbPicture resample(const PictureView& picture,
                    const ColourDescription& colour,
                    const Region& region,
                    int width,
                    int height,
                    Enlarge enlarge) {
  const PictureFormat& format = picture.format;
  RgbPicture made{width, height, {}};
  std::vector<float> sums;
  for (int plane = 0; plane < plane_count(format); ++plane) {
    const Axes axes = axes_of(format, colour, plane, region, width, height, enlarge);
    std::vector<float>& values = made.planes[static_cast<std::size_t>(plane)];
    values.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
    for (int y = 0; y < height; ++y) {
      read_row(picture,
               plane,
               quantiser_of(format, colour, plane),
               axes.across,
               axes.down,
               y,
               sums,
               values.data() + std::ptrdiff_t{y} * width);
    }
  }
  if (format.model == ColourModel::kYuv) to_rgb(kernels::luma_weights(colour.matrix), made);
  if (format.model == ColourModel::kGray) made.planes[1] = made.planes[2] = made.planes[0];
  return made;
}

LumaRows::LumaRows(const PictureView& picture,
                   const ColourDescription& colour,
                   int width,
                   int height,
                   Enlarge enlarge)
    : picture_(picture),
      colour_(colour),
      across_(make_axis(picture.format.width,
                        0,
                        static_cast<double>(picture.format.width) / width,
                        width,
                        enlarge)),
      down_(make_axis(picture.format.height,
                      0,
                      static_cast<double>(picture.format.height) / height,
                      height,
                      enlarge)) {}

void LumaRows::read(int y, std::vector<float>& row) {
  row.resize(static_cast<std::size_t>(across_.count()));
  const auto read_plane = [&](int plane, float* to) {
    read_row(picture_,
             plane,
             quantiser_of(picture_.format, colour_, plane),
             across_,
             down_,
             y,
             sums_,
             to);
  };
  if (picture_.format.model != ColourModel::kRgb) return read_plane(0, row.data());
  const kernels::LumaWeights weights = kernels::luma_weights(colour_.matrix);
  const std::array<double, 3> of_plane{weights.kr, weights.kg(), weights.kb};
  plane_.resize(row.size());
  std::fill(row.begin(), row.end(), 0.0F);
  for (int plane = 0; plane < 3; ++plane) {
    read_plane(plane, plane_.data());
    const auto weight = static_cast<float>(of_plane[static_cast<std::size_t>(plane)]);
    for (std::size_t x = 0; x < row.size(); ++x) row[x] += weight * plane_[x];
  }
}

}  // namespace vsr::pipeline
