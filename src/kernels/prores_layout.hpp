// What ProRes 422 HQ fixes and what our encoder decides without looking at the picture: tables,
// slices, headers, budgets. Plain C++17, shared by the host side, the kernels and the tests'
// reference.
//
// The format is that of SMPTE RDD 36. Note [Slices]: a macroblock is 16 x 16 luma samples, 4 blocks
// of luma and 2 each of Cb and Cr. A row of macroblocks is cut into slices of 8, and what is left
// into 4, 2 and 1. A slice holds for each plane the DC values of its blocks, each as the difference
// to the last, and then all AC values: frequency by frequency in scan order, for each the blocks in
// turn. Nonzero values are coded as (run of zeros before, magnitude - 1, sign), run and magnitude
// with codebooks chosen by the previous run and magnitude.
#pragma once

#include "vsr/kernels/prores.hpp"

#include <cstddef>
#include <cstdint>

namespace vsr::kernels::prores {

constexpr int kSliceMacroblocks = 8;
constexpr int kMacroblockValues = 512;  // 8 blocks of 64
constexpr int kSliceValues = kSliceMacroblocks * kMacroblockValues;
constexpr int kSliceHeaderBytes = 6;
constexpr int kPictureHeaderBytes = 8;
constexpr int kFrameHeaderBytes = 8 + 20 + 64 + 64;  // size and "icpf", fields, two matrices
constexpr int kHeaderBytes = kFrameHeaderBytes + kPictureHeaderBytes;

// Quantisers tried, finest first. Steps of the scale grow to a quarter, at which a slice loses
// about a third of a bit a value; those above 128 are multiples of 4, as the format has them.
constexpr int kQuantisers = 23;

// A codebook: fewer than (book & 3) + 1 zeros lead to a Rice code of order book >> 5, as many or
// more to an exponential Golomb code of order book >> 2 & 7.
struct Tables {
  std::uint8_t scan[64];        // row * 8 + column of the blocks' values in coding order
  std::uint8_t matrix[64];      // by row * 8 + column; luma and chroma alike
  std::uint8_t run_book[16];    // by the previous run, up to 15
  std::uint8_t level_book[10];  // by the previous magnitude, up to 9
  std::uint8_t dc_book[4];      // by half the previous code, rounded up, up to 3
  std::uint8_t first_dc_book;
  std::uint16_t quantisers[kQuantisers];
  std::uint8_t quantiser_codes[kQuantisers];  // as a slice's header has them
  std::uint8_t place[64];                     // of row * 8 + column in the scan
};

constexpr Tables completed(Tables tables) {
  for (int i = 0; i < 64; ++i) tables.place[tables.scan[i]] = static_cast<std::uint8_t>(i);
  for (int i = 0; i < kQuantisers; ++i) {
    const int quantiser = tables.quantisers[i];
    tables.quantiser_codes[i] =
        static_cast<std::uint8_t>(quantiser > 128 ? quantiser / 4 + 96 : quantiser);
  }
  return tables;
}

constexpr Tables kTables = completed(
    {{0,  1,  8,  9,  2,  3,  10, 11, 16, 17, 24, 25, 18, 19, 26, 27, 4,  5,  12, 20, 13, 6,
      7,  14, 21, 28, 29, 22, 15, 23, 30, 31, 32, 33, 40, 48, 41, 34, 35, 42, 49, 56, 57, 50,
      43, 36, 37, 44, 51, 58, 59, 52, 45, 38, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63},
     {4, 4, 4, 4, 4, 4, 4, 4,  //
      4, 4, 4, 4, 4, 4, 4, 4,  //
      4, 4, 4, 4, 4, 4, 4, 4,  //
      4, 4, 4, 4, 4, 4, 4, 5,  //
      4, 4, 4, 4, 4, 4, 5, 5,  //
      4, 4, 4, 4, 4, 5, 5, 6,  //
      4, 4, 4, 4, 5, 5, 6, 7,  //
      4, 4, 4, 4, 5, 6, 7, 7},
     {0x06,
      0x06,
      0x05,
      0x05,
      0x04,
      0x29,
      0x29,
      0x29,
      0x29,
      0x28,
      0x28,
      0x28,
      0x28,
      0x28,
      0x28,
      0x4C},
     {0x04, 0x0A, 0x05, 0x06, 0x04, 0x28, 0x28, 0x28, 0x28, 0x4C},
     {0x04, 0x28, 0x4D, 0x70},
     0xB8,
     {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512},
     {},
     {}});

// As if the previous run and magnitude had been these.
constexpr int kFirstRun = 4;
constexpr int kFirstLevel = 2;
constexpr int kFirstDcIndex = 3;

// Note [Transform]: whole numbers throughout, so that every device gives the same bytes. One
// dimension is a sum of products with kCosines[k] = 2^13 cos(k pi / 16) (k = 0: 2^13 / sqrt 2);
// rows first, rounded to 4 bits below the point, then columns, rounded to 2. Samples less 512 give
// at most 23,172 and 16,386 in magnitude, sums stay below 2^31. What is quantised is therefore 4
// times the orthonormal transform, which is the scale of the format: a value is restored as
// level * matrix * quantiser.
constexpr int kCosines[8] = {5793, 8035, 7568, 6811, 5793, 4551, 3135, 1598};
constexpr int kRowShift = 10;
constexpr int kColumnShift = 16;

// Note [Quantisation]: level = (|value| * reciprocal + rounding) >> kLevelShift. DC is rounded to
// nearest; AC a little towards zero, which saves more bits than it costs accuracy, since small
// values are the likelier ones.
constexpr int kLevelShift = 19;
constexpr std::uint32_t kDcRounding = 1u << (kLevelShift - 1);
constexpr std::uint32_t kAcRounding = (1u << kLevelShift) * 2 / 5;

// A slice that would be larger is not offered at that quantiser.
constexpr std::uint32_t kMostSliceBytes = 12288;
constexpr std::uint32_t kNeverBytes = 1u << 30;  // stands for its size; above any budget

// Note [Offers]: a slice's size is found at one quantiser after another, the finest first, until it
// is half of the slice's share of bits or less. Far above its share some are skipped: two of three
// above kThirdHalves halves of it, every other above kSecondHalves. In place of those skipped
// stands the last one tried.
constexpr std::uint32_t kThirdHalves = 5;
constexpr std::uint32_t kSecondHalves = 3;

// Bits of a value at the coarsest quantiser, whose magnitudes are at most 8: the longest codes of
// run, magnitude and sign. (Longer runs cost less by the zero.)
constexpr std::uint32_t kCoarsestBits = 12;

struct Layout {
  int width = 0;
  int height = 0;
  int macroblock_columns = 0;
  int macroblock_rows = 0;
  int slices_per_row = 0;
  int slices = 0;
  int bits_per_macroblock = 0;
  std::uint64_t budget_bytes = 0;  // of all slices together
  // Slice (i * stride) % slices is the i-th in the order that spreads over the picture.
  int stride = 0;
};

Layout layout_of(const ProresSettings& settings);

// Where the parts of the workspace begin, in bytes; what they are, cuda/prores_encode.cu says.
struct Workspace {
  std::size_t values = 0;
  std::size_t sizes = 0;
  std::size_t offsets = 0;
  std::size_t tried = 0;
  std::size_t chosen = 0;
  std::size_t bytes = 0;
};

Workspace workspace_of(const Layout& layout);

// Frame and picture header with zeros for the two sizes, at 0 and kFrameHeaderBytes + 1.
struct Header {
  std::uint8_t bytes[kHeaderBytes];
};

Header header_of(const ProresSettings& settings, const Layout& layout);

}  // namespace vsr::kernels::prores
