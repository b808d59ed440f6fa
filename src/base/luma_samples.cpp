#include "vsr/base/luma_samples.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace vsr {

namespace {

// An integer hash (the finaliser of MurmurHash3): bits that look random, the same everywhere.
std::uint32_t scrambled(std::uint32_t value) {
  value ^= value >> 16;
  value *= 0x85ebca6bU;
  value ^= value >> 13;
  value *= 0xc2b2ae35U;
  return value ^ value >> 16;
}

// A place in cell `cell` of `cells` that share `length` pixels.
int place(int cell, int cells, int length, std::uint32_t random) {
  const auto begin = static_cast<int>(std::int64_t{cell} * length / cells);
  const auto end = static_cast<int>((std::int64_t{cell} + 1) * length / cells);
  return begin + static_cast<int>(random % static_cast<std::uint32_t>(end - begin));
}

}  // namespace

LumaSamples sample_luma(const PictureView& picture) {
  const PictureFormat& format = picture.format;
  const std::size_t plane = format.model == ColourModel::kRgb ? 1 : 0;
  const int longer = std::max(format.width, format.height);
  const int across = std::min(longer, kSamplesAcross);
  LumaSamples samples;
  samples.width = std::max(1, format.width * across / longer);
  samples.height = std::max(1, format.height * across / longer);
  samples.bit_depth = format.bit_depth;
  samples.values.reserve(static_cast<std::size_t>(samples.width) *
                         static_cast<std::size_t>(samples.height));
  const bool wide = bytes_per_sample(format) == 2;
  for (int row = 0; row < samples.height; ++row) {
    for (int column = 0; column < samples.width; ++column) {
      const auto cell = static_cast<std::uint32_t>(samples.values.size());
      const int x = place(column, samples.width, format.width, scrambled(2 * cell + 1));
      const int y = place(row, samples.height, format.height, scrambled(2 * cell + 2));
      const std::byte* line = picture.planes[plane] + y * picture.pitch_bytes[plane];
      samples.values.push_back(wide ? reinterpret_cast<const std::uint16_t*>(line)[x]
                                    : std::to_integer<std::uint16_t>(line[x]));
    }
  }
  return samples;
}

double mean_square_difference(const LumaSamples& a, const LumaSamples& b) {
  if (a.width != b.width || a.height != b.height || a.bit_depth != b.bit_depth ||
      a.values.size() != b.values.size() || a.values.empty()) {
    throw Error(ErrorCode::kInternal,
                format("luma of {}x{} places in {} bits beside one of {}x{} in {}",
                       a.width,
                       a.height,
                       a.bit_depth,
                       b.width,
                       b.height,
                       b.bit_depth));
  }
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double difference = double{1} * a.values[i] - b.values[i];
    sum += difference * difference;
  }
  const double full_scale = std::exp2(a.bit_depth) - 1;
  return sum / (full_scale * full_scale * static_cast<double>(a.values.size()));
}

double psnr_db(double mean_square) {
  constexpr double kMost = 99;
  return mean_square > 0 ? std::min(kMost, -10 * std::log10(mean_square)) : kMost;
}

}  // namespace vsr
