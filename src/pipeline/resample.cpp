#include "resample.hpp"

#include "vsr/kernels/colour_coefficients.hpp"

#include <algorithm>
#include <cstdint>

namespace vsr::pipeline {

namespace {

// Samples, or sums of them, become what they mean: 0..1, of chroma -1/2..1/2.
void to_values(const PictureFormat& format,
               const ColourDescription& colour,
               int plane,
               std::vector<float>& samples) {
  const kernels::Quantiser quantiser =
      kernels::quantiser_of(format.bit_depth,
                            colour.full_range || format.model == ColourModel::kRgb,
                            kernels::is_chroma(format, plane));
  const auto factor = static_cast<float>(1 / quantiser.scale);
  const auto black = static_cast<float>(quantiser.offset / quantiser.scale);
  for (float& sample : samples) sample = sample * factor - black;
}

// Y'CbCr in the planes becomes R'G'B'.
void mix(const kernels::LumaWeights& weights, RgbPicture& picture) {
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

// Of planes with samples of a picture of `format`.
void to_rgb(const PictureFormat& format, const ColourDescription& colour, RgbPicture& picture) {
  for (int plane = 0; plane < plane_count(format); ++plane) {
    to_values(format, colour, plane, picture.planes[static_cast<std::size_t>(plane)]);
  }
  if (format.model == ColourModel::kYuv) mix(kernels::luma_weights(colour.matrix), picture);
  if (format.model == ColourModel::kGray) picture.planes[1] = picture.planes[2] = picture.planes[0];
}

}  // namespace

RgbPicture resample(const PictureView& picture,
                    const ColourDescription& colour,
                    const Region& region,
                    int width,
                    int height,
                    Enlarge enlarge) {
  RgbPicture made;
  resample(picture, colour, region, width, height, enlarge, made);
  return made;
}

void resample(const PictureView& picture,
              const ColourDescription& colour,
              const Region& region,
              int width,
              int height,
              Enlarge enlarge,
              RgbPicture& made) {
  const PictureFormat& format = picture.format;
  made.width = width;
  made.height = height;
  std::vector<float> sums;
  for (int plane = 0; plane < plane_count(format); ++plane) {
    const kernels::PlaneAxes axes =
        kernels::plane_axes(format, colour.siting, plane, region, width, height, enlarge);
    std::vector<float>& values = made.planes[static_cast<std::size_t>(plane)];
    values.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
    for (int y = 0; y < height; ++y) {
      kernels::resample_row(picture,
                            plane,
                            axes.across,
                            axes.down,
                            y,
                            sums,
                            values.data() + std::ptrdiff_t{y} * width);
    }
  }
  to_rgb(format, colour, made);
}

void read_digest(const kernels::DigestShape& shape, const std::byte* digest, RgbPicture& made) {
  made.width = shape.width;
  made.height = shape.height;
  const float step = 1 / kernels::digest_unit(shape);
  for (int plane = 0; plane < plane_count(shape.picture); ++plane) {
    const std::uint16_t* averages = kernels::digest_plane(shape, digest, plane);
    std::vector<float>& values = made.planes[static_cast<std::size_t>(plane)];
    values.resize(static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(shape.height));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(averages[i]) * step;
    }
  }
  to_rgb(shape.picture, shape.colour, made);
}

LumaRows::LumaRows(const PictureView& picture,
                   const ColourDescription& colour,
                   int width,
                   int height,
                   Enlarge enlarge)
    : picture_(picture),
      colour_(colour),
      axes_(kernels::plane_axes(
          picture.format, colour.siting, 0, whole(picture.format), width, height, enlarge)) {}

void LumaRows::read(int y, std::vector<float>& row) {
  row.resize(static_cast<std::size_t>(axes_.across.out));
  const auto read_plane = [&](int plane, std::vector<float>& to) {
    kernels::resample_row(picture_, plane, axes_.across, axes_.down, y, sums_, to.data());
    to_values(picture_.format, colour_, plane, to);
  };
  if (picture_.format.model != ColourModel::kRgb) return read_plane(0, row);
  const kernels::LumaWeights weights = kernels::luma_weights(colour_.matrix);
  const std::array<double, 3> of_plane{weights.kr, weights.kg(), weights.kb};
  plane_.resize(row.size());
  std::fill(row.begin(), row.end(), 0.0F);
  for (int plane = 0; plane < 3; ++plane) {
    read_plane(plane, plane_);
    const auto weight = static_cast<float>(of_plane[static_cast<std::size_t>(plane)]);
    for (std::size_t x = 0; x < row.size(); ++x) row[x] += weight * plane_[x];
  }
}

}  // namespace vsr::pipeline
