#include "colour_fit.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/luma_samples.hpp"
#include "vsr/kernels/colour_coefficients.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace vsr::pipeline {

namespace {

constexpr int kBlock = 16;
// Pictures whose blocks are as near as that fit well.
constexpr double kGoodDb = 55;
// What is supposed has to leave no more of the mean square than this.
constexpr double kClearly = 0.5;

using Colour = std::array<double, 3>;
using Colours = std::vector<Colour>;

Colours block_means(const RgbPicture& picture) {
  const int across = std::max(1, picture.width / kBlock);
  const int down = std::max(1, picture.height / kBlock);
  Colours means(static_cast<std::size_t>(across * down));
  for (int block = 0; block < across * down; ++block) {
    const int left = block % across * picture.width / across;
    const int right = (block % across + 1) * picture.width / across;
    const int top = block / across * picture.height / down;
    const int bottom = (block / across + 1) * picture.height / down;
    for (std::size_t plane = 0; plane < 3; ++plane) {
      double sum = 0;
      for (int y = top; y < bottom; ++y) {
        for (int x = left; x < right; ++x) {
          sum += picture.planes[plane][static_cast<std::size_t>(y * picture.width + x)];
        }
      }
      means[static_cast<std::size_t>(block)][plane] = sum / ((right - left) * (bottom - top));
    }
  }
  return means;
}

double distance(const Colours& a, const Colours& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t plane = 0; plane < 3; ++plane) {
      const double difference = a[i][plane] - b[i][plane];
      sum += difference * difference;
    }
  }
  return sum / (3 * static_cast<double>(a.size()));
}

Colour to_yuv(const Colour& rgb, Matrix matrix) {
  const kernels::LumaWeights weights = kernels::luma_weights(matrix);
  const double luma = weights.kr * rgb[0] + weights.kg() * rgb[1] + weights.kb * rgb[2];
  return {luma, (rgb[2] - luma) / (2 - 2 * weights.kb), (rgb[0] - luma) / (2 - 2 * weights.kr)};
}

Colour to_rgb(const Colour& yuv, Matrix matrix) {
  const kernels::LumaWeights weights = kernels::luma_weights(matrix);
  const double red = yuv[0] + (2 - 2 * weights.kr) * yuv[2];
  const double blue = yuv[0] + (2 - 2 * weights.kb) * yuv[1];
  return {red, (yuv[0] - weights.kr * red - weights.kb * blue) / weights.kg(), blue};
}

// The colours of the same samples, had these another meaning.
Colours read_as(const Colours& colours, const ColourMeaning& said, const ColourDescription& other) {
  Colours made;
  for (const Colour& colour : colours) {
    Colour yuv = to_yuv(colour, said.colour.matrix);
    for (std::size_t plane = 0; plane < 3; ++plane) {
      const int depth = said.format.bit_depth;
      const auto was = kernels::quantiser_of(depth, said.colour.full_range, plane > 0);
      const auto is = kernels::quantiser_of(depth, other.full_range, plane > 0);
      yuv[plane] = (yuv[plane] * was.scale + was.offset - is.offset) / is.scale;
    }
    made.push_back(to_rgb(yuv, other.matrix));
  }
  return made;
}

struct Supposition {
  std::string what;
  Colours colours;
};

std::vector<Supposition> suppose(const Colours& colours, const ColourMeaning& said) {
  std::vector<Supposition> all;
  if (said.format.model == ColourModel::kGray) return all;
  Colours swapped = colours;
  for (Colour& colour : swapped) std::swap(colour[0], colour[2]);
  all.push_back({"red and blue swapped", std::move(swapped)});
  if (said.format.model != ColourModel::kYuv) return all;
  swapped = colours;
  for (Colour& colour : swapped) {
    Colour yuv = to_yuv(colour, said.colour.matrix);
    std::swap(yuv[1], yuv[2]);
    colour = to_rgb(yuv, said.colour.matrix);
  }
  all.push_back({"Cb and Cr swapped", std::move(swapped)});
  ColourDescription other = said.colour;
  other.full_range = !other.full_range;
  all.push_back({"full and limited range mixed up", read_as(colours, said, other)});
  for (const Matrix matrix : {Matrix::kBt601, Matrix::kBt709, Matrix::kBt2020Ncl}) {
    if (matrix == said.colour.matrix) continue;
    other = said.colour;
    other.matrix = matrix;
    const Matrix one = std::min(matrix, said.colour.matrix);
    const Matrix two = std::max(matrix, said.colour.matrix);
    all.push_back({format("{} and {} mixed up", to_string(one), to_string(two)),
                   read_as(colours, said, other)});
  }
  return all;
}

}  // namespace

std::string better_fit(const RgbPicture& source,
                       const ColourMeaning& source_meaning,
                       const RgbPicture& upscaled,
                       const ColourMeaning& upscaled_meaning) {
  const Colours from = block_means(source);
  const Colours to = block_means(upscaled);
  const double as_said = distance(from, to);
  if (psnr_db(as_said) >= kGoodDb) return "";
  std::string best;
  double least = kClearly * as_said;
  const auto consider = [&](const Supposition& supposed, const Colours& other) {
    const double left = distance(supposed.colours, other);
    if (left >= least) return;
    least = left;
    best = supposed.what;
  };
  for (const Supposition& supposed : suppose(to, upscaled_meaning)) consider(supposed, from);
  for (const Supposition& supposed : suppose(from, source_meaning)) consider(supposed, to);
  return best;
}

}  // namespace vsr::pipeline
