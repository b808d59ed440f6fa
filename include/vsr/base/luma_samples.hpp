// A picture's luma at some thousand places: enough to tell how far two pictures are apart.
//
// Note [Samples in place of a small picture]
// Two upscalings of one frame differ in fine detail, and averages over boxes of 16 pixels and more,
// as a small picture has them, hide just that (docs/performance.md, "Seams"). Samples taken as they
// are give the mean square of a difference as the whole pictures would, but for chance: 0.3 dB with
// seven thousand of them. One lies in each cell of a lattice, at a place in it that looks random,
// so that no regular pattern falls between them.
#pragma once

#include "vsr/base/picture.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace vsr {

// Plain value.
struct LumaSamples {
  int width = 0;  // cells across and down
  int height = 0;
  int bit_depth = 8;                  // of the values
  std::vector<std::uint16_t> values;  // row by row

  bool operator==(const LumaSamples&) const = default;
};

// By timeline frame.
using LumaByFrame = std::map<std::int64_t, LumaSamples>;

// The longer side of the lattice, where the picture has so many pixels.
inline constexpr int kSamplesAcross = 128;

// Of RGB the green stands for luma. The places depend on the picture's size alone.
LumaSamples sample_luma(const PictureView& picture);

// Mean square of the difference, 1 being full scale. Throws Error(kInternal) for samples of
// pictures of another size or depth.
double mean_square_difference(const LumaSamples& a, const LumaSamples& b);

// Of a mean square, full scale over its root; at most 99, which stands for no difference too.
double psnr_db(double mean_square);

}  // namespace vsr
