#include "vsr/base/picture_quality.hpp"

#include "vsr/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace vsr {

namespace {

constexpr int kBlock = 4;  // two by two blocks make a square

// Sums over columns or blocks of samples a and b.
template <typename Sum>
struct Sums {
  std::vector<Sum> a;
  std::vector<Sum> b;
  std::vector<Sum> squares;  // a * a + b * b
  std::vector<Sum> products;

  explicit Sums(std::size_t size) : a(size), b(size), squares(size), products(size) {}
};

// One row more into the sums of its columns. Apart, with plain pointers, so that it is vectorised.
template <typename Sample, typename Sum>
void add_row(const Sample* __restrict row_a,
             const Sample* __restrict row_b,
             std::size_t width,
             Sum* __restrict a,
             Sum* __restrict b,
             Sum* __restrict squares,
             Sum* __restrict products) {
  for (std::size_t x = 0; x < width; ++x) {
    const Sum sample_a = row_a[x];
    const Sum sample_b = row_b[x];
    a[x] += sample_a;
    b[x] += sample_b;
    squares[x] += sample_a * sample_a + sample_b * sample_b;
    products[x] += sample_a * sample_b;
  }
}

template <typename Sum>
void gather(const std::vector<Sum>& columns, std::vector<Sum>& blocks) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Sum* column = &columns[i * kBlock];
    blocks[i] = column[0] + column[1] + column[2] + column[3];
  }
}

struct Constants {
  double c1;
  double c2;

  explicit Constants(int bit_depth) {
    constexpr double kSamples = 64;  // of a square
    const double most = std::exp2(bit_depth) - 1;
    c1 = std::floor(0.01 * 0.01 * most * most * kSamples + 0.5);
    c2 = std::floor(0.03 * 0.03 * most * most * kSamples * (kSamples - 1) + 0.5);
  }
};

// SSIM of all squares that two rows of blocks hold, added up.
template <typename Sum>
double ssim_of_row(const Sums<Sum>& above, const Sums<Sum>& below, const Constants& constants) {
  const auto square =
      [](const std::vector<Sum>& upper, const std::vector<Sum>& lower, std::size_t i) {
        return static_cast<double>(upper[i]) + static_cast<double>(upper[i + 1]) +
               static_cast<double>(lower[i]) + static_cast<double>(lower[i + 1]);
      };
  double sum = 0;
  for (std::size_t i = 0; i + 1 < above.a.size(); ++i) {
    const double a = square(above.a, below.a, i);
    const double b = square(above.b, below.b, i);
    const double variances = 64 * square(above.squares, below.squares, i) - a * a - b * b;
    const double covariance = 64 * square(above.products, below.products, i) - a * b;
    sum += (2 * a * b + constants.c1) * (2 * covariance + constants.c2) /
           ((a * a + b * b + constants.c1) * (variances + constants.c2));
  }
  return sum;
}

// A Sum holds four rows' squares of both samples, and so a block's.
template <typename Sample, typename Sum>
PlaneQuality compare_plane(const PictureView& a, const PictureView& b, int plane) {
  const auto p = static_cast<std::size_t>(plane);
  const auto width = static_cast<std::size_t>(plane_width(a.format, plane));
  const int height = plane_height(a.format, plane);
  const Constants constants(a.format.bit_depth);
  Sums<Sum> columns(width);
  Sums<Sum> above(width / kBlock);
  Sums<Sum> blocks(width / kBlock);
  double difference = 0;
  double ssim = 0;
  for (int y = 0; y < height;) {
    columns = Sums<Sum>(width);
    const int end = std::min(y + kBlock, height);
    const bool whole = end - y == kBlock;
    for (; y < end; ++y) {
      add_row(reinterpret_cast<const Sample*>(a.planes[p] + y * a.pitch_bytes[p]),
              reinterpret_cast<const Sample*>(b.planes[p] + y * b.pitch_bytes[p]),
              width,
              columns.a.data(),
              columns.b.data(),
              columns.squares.data(),
              columns.products.data());
    }
    std::uint64_t row_difference = 0;  // (a - b)^2
    for (std::size_t x = 0; x < width; ++x) {
      row_difference += columns.squares[x] - 2 * columns.products[x];
    }
    difference += static_cast<double>(row_difference);
    if (!whole) break;
    std::swap(above, blocks);
    gather(columns.a, blocks.a);
    gather(columns.b, blocks.b);
    gather(columns.squares, blocks.squares);
    gather(columns.products, blocks.products);
    if (y > kBlock) ssim += ssim_of_row(above, blocks, constants);
  }
  PlaneQuality quality;
  quality.mean_square = difference / (static_cast<double>(width) * height);
  const auto across = static_cast<int>(width) / kBlock - 1;
  const int down = height / kBlock - 1;
  if (across > 0 && down > 0) quality.ssim = ssim / (double{1} * across * down);
  return quality;
}

double samples_of(const PictureFormat& format, int plane) {
  return double{1} * plane_width(format, plane) * plane_height(format, plane);
}

}  // namespace

PictureQuality compare_pictures(const PictureView& a, const PictureView& b) {
  if (!(a.format == b.format)) {
    throw Error(
        ErrorCode::kInternal,
        "pictures of " + to_string(a.format) + " and " + to_string(b.format) + " are compared");
  }
  constexpr int kMostBitsIn32 = 14;  // 32 squares of 14 bits fit
  PictureQuality quality;
  for (int plane = 0; plane < plane_count(a.format); ++plane) {
    PlaneQuality& result = quality.planes[static_cast<std::size_t>(plane)];
    if (a.format.bit_depth == 8) {
      result = compare_plane<std::uint8_t, std::uint32_t>(a, b, plane);
    } else if (a.format.bit_depth < kMostBitsIn32) {
      result = compare_plane<std::uint16_t, std::uint32_t>(a, b, plane);
    } else {
      result = compare_plane<std::uint16_t, std::uint64_t>(a, b, plane);
    }
  }
  return quality;
}

double psnr_of(double mean_square, int bit_depth) {
  if (mean_square <= 0) return std::numeric_limits<double>::infinity();
  const double most = std::exp2(bit_depth) - 1;
  return 10 * std::log10(most * most / mean_square);
}

double mean_square_of_all(const PictureQuality& quality, const PictureFormat& format) {
  double sum = 0;
  double samples = 0;
  for (int plane = 0; plane < plane_count(format); ++plane) {
    sum += quality.planes[static_cast<std::size_t>(plane)].mean_square * samples_of(format, plane);
    samples += samples_of(format, plane);
  }
  return sum / samples;
}

std::optional<double> ssim_of_all(const PictureQuality& quality, const PictureFormat& format) {
  double sum = 0;
  double samples = 0;
  for (int plane = 0; plane < plane_count(format); ++plane) {
    const auto& ssim = quality.planes[static_cast<std::size_t>(plane)].ssim;
    if (!ssim) return std::nullopt;
    sum += *ssim * samples_of(format, plane);
    samples += samples_of(format, plane);
  }
  return sum / samples;
}

}  // namespace vsr
