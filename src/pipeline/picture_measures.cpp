#include "vsr/pipeline/picture_measures.hpp"

#include "colour_fit.hpp"
#include "resample.hpp"
#include "vsr/kernels/colour_coefficients.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace vsr::pipeline {

namespace {

// --- sharpness -----------------------------------------------------------------------------------

// Sum of the squares of luma's differences to the right and down.
double gradient_square(const std::vector<float>& row, const std::vector<float>& below) {
  constexpr std::size_t kBlock = 256;  // floats add up well over so many
  double sum = 0;
  for (std::size_t begin = 0; begin + 1 < row.size(); begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, row.size() - 1);
    float part = 0;
    for (std::size_t x = begin; x < end; ++x) {
      const float right = row[x + 1] - row[x];
      const float down = below[x] - row[x];
      part += right * right + down * down;
    }
    sum += part;
  }
  return sum;
}

// Over `pairs` of rows, of which `first_row` gives the first of each.
template <typename FirstRow>
float sharpness_of(LumaRows luma, int width, int pairs, const FirstRow& first_row) {
  std::vector<float> row;
  std::vector<float> below;
  double sum = 0;
  for (int pair = 0; pair < pairs; ++pair) {
    luma.read(first_row(pair), row);
    luma.read(first_row(pair) + 1, below);
    sum += gradient_square(row, below);
  }
  return static_cast<float>(std::sqrt(sum / (double{1} * pairs * (width - 1))));
}

bool has_sharpness(const PictureFormat& format) { return format.width > 1 && format.height > 1; }

float sharpness_of(const DigestView& digest) {
  if (!has_sharpness(digest.shape.picture)) return std::numeric_limits<float>::quiet_NaN();
  const PictureView rows = kernels::digest_rows(digest.shape, digest.memory);
  const auto [width, height] = std::pair(rows.format.width, rows.format.height);
  return sharpness_of(LumaRows(rows, digest.shape.colour, width, height, Enlarge::kCubic),
                      width,
                      height / 2,
                      [](int pair) { return 2 * pair; });
}

// Of the picture enlarged to the size of `to`, in the rows that a digest of that has.
float enlarged_sharpness(const ColouredPicture& picture, const PictureFormat& to) {
  if (!has_sharpness(to)) return std::numeric_limits<float>::quiet_NaN();
  return sharpness_of(LumaRows(picture.view, picture.colour, to.width, to.height, Enlarge::kCubic),
                      to.width,
                      kernels::digest_pairs(to.height),
                      [&](int pair) { return kernels::digest_row(pair, to.height); });
}

// --- luma ----------------------------------------------------------------------------------------

struct Weights {
  float red, green, blue;

  explicit Weights(Matrix matrix) {
    const kernels::LumaWeights weights = kernels::luma_weights(matrix);
    red = static_cast<float>(weights.kr);
    green = static_cast<float>(weights.kg());
    blue = static_cast<float>(weights.kb);
  }

  float luma(const RgbPicture& picture, std::size_t i) const {
    return red * picture.planes[0][i] + green * picture.planes[1][i] + blue * picture.planes[2][i];
  }
};

float luma_mean(const RgbPicture& picture, Matrix matrix) {
  const Weights weights(matrix);
  double sum = 0;
  for (std::size_t i = 0; i < picture.planes[0].size(); ++i) sum += weights.luma(picture, i);
  return static_cast<float>(sum / static_cast<double>(picture.planes[0].size()));
}

// As sample_luma() of a picture of `format` and `colour` has them.
LumaSamples samples_of(const RgbPicture& picture,
                       const PictureFormat& format,
                       const ColourDescription& colour) {
  PictureFormat gray = format;
  gray.model = ColourModel::kGray;
  gray.width = picture.width;
  gray.height = picture.height;
  std::vector<std::byte> memory(packed_bytes(gray));
  const bool rgb = format.model == ColourModel::kRgb;
  const kernels::Quantiser quantiser =
      kernels::quantiser_of(format.bit_depth, rgb || colour.full_range, false);
  const auto scale = static_cast<float>(quantiser.scale);
  const float offset = static_cast<float>(quantiser.offset) + 0.5F;
  const auto most = static_cast<float>((1 << format.bit_depth) - 1);
  const Weights weights(colour.matrix);
  const auto fill = [&](auto* values) {
    for (std::size_t i = 0; i < picture.planes[0].size(); ++i) {
      const float value = rgb ? picture.planes[1][i] : weights.luma(picture, i);
      values[i] = static_cast<std::remove_reference_t<decltype(*values)>>(
          std::clamp(value * scale + offset, 0.0F, most));
    }
  };
  if (bytes_per_sample(gray) == 2) {
    fill(reinterpret_cast<std::uint16_t*>(memory.data()));
  } else {
    fill(reinterpret_cast<std::uint8_t*>(memory.data()));
  }
  return sample_luma(packed_view(gray, memory.data()));
}

// --- back-projection -----------------------------------------------------------------------------

// Mean square of the difference of the values that a picture can show, all three channels.
double difference_square(const RgbPicture& a, const RgbPicture& b) {
  double sum = 0;
  for (std::size_t plane = 0; plane < 3; ++plane) {
    for (int y = 0; y < a.height; ++y) {
      const float* left = a.planes[plane].data() + std::ptrdiff_t{y} * a.width;
      const float* right = b.planes[plane].data() + std::ptrdiff_t{y} * a.width;
      float row = 0;
      for (int x = 0; x < a.width; ++x) {
        const float difference = std::clamp(left[x], 0.0F, 1.0F) - std::clamp(right[x], 0.0F, 1.0F);
        row += difference * difference;
      }
      sum += row;
    }
  }
  return sum / (3.0 * a.width * a.height);
}

// What a thread measures in, picture after picture: fresh memory, whose pages the system has to
// clear, takes half as long again as measuring.
struct Memory {
  RgbPicture projected;
  RgbPicture original;
  std::vector<std::byte> digest;
};

thread_local Memory memory;

DigestView own_digest(const PictureView& picture, const kernels::DigestShape& shape) {
  memory.digest.resize(kernels::digest_bytes(shape));
  kernels::make_digest(picture, shape, memory.digest.data());
  return {shape, memory.digest.data()};
}

}  // namespace

PictureMeasures measure_picture(const ColouredPicture& source, const DigestView& upscaled) {
  const auto& [to, colour, width, height] = upscaled.shape;
  const PictureFormat& from = source.view.format;
  RgbPicture& projected = memory.projected;
  RgbPicture& original = memory.original;
  read_digest(upscaled.shape, upscaled.memory, projected);
  resample(source.view, source.colour, whole(from), width, height, Enlarge::kLinear, original);
  PictureMeasures measures;
  measures.luma_mean = luma_mean(projected, colour.matrix);
  measures.sharpness = sharpness_of(upscaled);
  const float bicubic = enlarged_sharpness(source, to);
  if (bicubic > 0) measures.sharpness_gain = measures.sharpness / bicubic;
  measures.back_projection_db = static_cast<float>(psnr_db(difference_square(projected, original)));
  measures.colours_fit = better_fit(original, {from, source.colour}, projected, {to, colour});
  if (width == from.width && height == from.height) {
    measures.projected = samples_of(projected, from, source.colour);
  }
  return measures;
}

PictureMeasures measure_picture(const DigestView& upscaled) {
  PictureMeasures measures;
  read_digest(upscaled.shape, upscaled.memory, memory.projected);
  measures.luma_mean = luma_mean(memory.projected, upscaled.shape.colour.matrix);
  measures.sharpness = sharpness_of(upscaled);
  return measures;
}

PictureMeasures measure_picture(const ColouredPicture& source, const ColouredPicture& upscaled) {
  const auto& [view, colour] = upscaled;
  return measure_picture(
      source, own_digest(view, kernels::digest_shape(source.view.format, view.format, colour)));
}

PictureMeasures measure_picture(const ColouredPicture& upscaled) {
  PictureFormat quarter = upscaled.view.format;
  quarter.width = (quarter.width + 3) / 4;
  quarter.height = (quarter.height + 3) / 4;
  const auto& [view, colour] = upscaled;
  return measure_picture(own_digest(view, kernels::digest_shape(quarter, view.format, colour)));
}

}  // namespace vsr::pipeline
