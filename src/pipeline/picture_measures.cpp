#include "vsr/pipeline/picture_measures.hpp"

#include "colour_fit.hpp"
#include "resample.hpp"
#include "vsr/kernels/colour_coefficients.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace vsr::pipeline {

namespace {

// Rows whose sharpness is measured, of whatever size the picture is.
constexpr int kSharpnessRows = 96;

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

float sharpness_of(const ColouredPicture& picture, int width, int height) {
  if (width < 2 || height < 2) return std::numeric_limits<float>::quiet_NaN();
  LumaRows luma(picture.view, picture.colour, width, height, Enlarge::kCubic);
  std::vector<float> row;
  std::vector<float> below;
  const int rows = std::min(kSharpnessRows, height - 1);
  double sum = 0;
  for (int i = 0; i < rows; ++i) {
    const auto y = static_cast<int>((2 * std::int64_t{i} + 1) * (height - 1) / (2 * rows));
    luma.read(y, row);
    luma.read(y + 1, below);
    sum += gradient_square(row, below);
  }
  return static_cast<float>(std::sqrt(sum / (double{1} * rows * (width - 1))));
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

RgbPicture smaller(const ColouredPicture& picture, int width, int height) {
  return resample(
      picture.view, picture.colour, whole(picture.view.format), width, height, Enlarge::kLinear);
}

}  // namespace

PictureMeasures measure_picture(const ColouredPicture& source, const ColouredPicture& upscaled) {
  const PictureFormat& from = source.view.format;
  const PictureFormat& to = upscaled.view.format;
  const int width = std::min(from.width, to.width);
  const int height = std::min(from.height, to.height);
  const RgbPicture projected = smaller(upscaled, width, height);
  const RgbPicture original = smaller(source, width, height);
  PictureMeasures measures;
  measures.luma_mean = luma_mean(projected, upscaled.colour.matrix);
  measures.sharpness = sharpness_of(upscaled, to.width, to.height);
  const float bicubic = sharpness_of(source, to.width, to.height);
  if (bicubic > 0) measures.sharpness_gain = measures.sharpness / bicubic;
  measures.back_projection_db = static_cast<float>(psnr_db(difference_square(projected, original)));
  measures.colours_fit =
      better_fit(original, {from, source.colour}, projected, {to, upscaled.colour});
  if (width == from.width && height == from.height) {
    measures.projected = samples_of(projected, from, source.colour);
  }
  return measures;
}

PictureMeasures measure_picture(const ColouredPicture& upscaled) {
  const PictureFormat& format = upscaled.view.format;
  PictureMeasures measures;
  measures.luma_mean = luma_mean(smaller(upscaled, (format.width + 3) / 4, (format.height + 3) / 4),
                                 upscaled.colour.matrix);
  measures.sharpness = sharpness_of(upscaled, format.width, format.height);
  return measures;
}

}  // namespace vsr::pipeline
