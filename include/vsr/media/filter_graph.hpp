// The usual preprocessing as numbers, and the libavfilter graph it stands for. Only numbers and
// enumerators reach the text, so nothing of a user's can become part of the graph's syntax.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"

#include <optional>
#include <string>

namespace vsr::media {

// Order of work: deinterlace, scale and convert the matrix, set the sample aspect, crop.
struct FilterGraphSpec {
  // bwdif, one picture a frame: every frame, or only those the stream flags as interlaced.
  enum class Deinterlace { kOff, kAll, kFlagged };
  // Which field comes first: as the stream says, or as given here.
  enum class Parity { kAuto, kTop, kBottom };

  struct Crop {
    int width = 0;
    int height = 0;
    int x = 0;
    int y = 0;
  };

  Deinterlace deinterlace = Deinterlace::kOff;
  Parity parity = Parity::kAuto;
  int width = 0;                          // to scale to, by bicubic; 0: as it is
  int height = 0;                         // likewise
  std::optional<Matrix> matrix_in;        // what the samples are, over what the stream says
  std::optional<Matrix> matrix_out;       // what they shall be; unset: no conversion
  std::optional<Rational> sample_aspect;  // to write on the pictures; no scaling comes of it
  std::optional<Crop> crop;               // of the scaled picture
};

// Empty when nothing is asked. With the PAL recipe's numbers it is the recipe's text word for word,
// but for one addition: zscale's matrix= leaves the source's primaries and transfer on the
// pictures, so with matrix_out a setparams follows that names matrix, primaries and transfer of the
// new matrix. Primaries and transfer are re-tagged, not converted, as in the recipe: EBU and bt709
// primaries differ by 0.01 in one coordinate of green, and both systems were graded on the same
// displays.
//
// Throws Error(kUsage) for numbers that make no picture: a negative or huge size, a crop outside
// the scaled size, an aspect of 0 or less.
std::string make_filter_graph(const FilterGraphSpec& spec);

}  // namespace vsr::media
