// The numbers behind YUV <-> RGB: matrices, quantisers, chroma sitings. All that converts colours,
// on whatever device, takes them from here. Plain arithmetic in double precision.
#pragma once

#include "vsr/base/picture.hpp"

#include <array>

namespace vsr::kernels {

// Y' = kr R' + kg() G' + kb B'; Cb = (B' - Y') / (2 (1 - kb)); Cr = (R' - Y') / (2 (1 - kr)).
struct LumaWeights {
  double kr = 0;
  double kb = 0;

  double kg() const { return 1 - kr - kb; }
};

LumaWeights luma_weights(Matrix matrix);

// sample = value * scale + offset, where value is 0..1 (or -0.5..0.5 for chroma).
struct Quantiser {
  double scale = 1;
  double offset = 0;
};

Quantiser quantiser_of(int bit_depth, bool full_range, bool chroma);

// Where the chroma sample of a pair lies, in luma samples from the pair's first: 0, 1/2 or 1.
struct SitingOffset {
  double x = 0;
  double y = 0;
};

SitingOffset siting_offset(ChromaSiting siting);

// Whether chroma has half of luma's samples along the axis.
bool halved_across(const PictureFormat& format);
bool halved_down(const PictureFormat& format);

// Chroma brought to luma's grid by linear interpolation: at luma sample 2i, `even` of chroma sample
// i - 1 and the rest of sample i; at 2i + 1, `odd` of sample i + 1 and the rest of sample i.
struct ChromaNeighbours {
  double even = 0;
  double odd = 0;
};

ChromaNeighbours chroma_neighbours(double offset);

// Chroma sample i as a sum of full-size samples 2i - 1 to 2i + 2: a triangle two samples to each
// side of where it lies.
std::array<double, 4> chroma_taps(double offset);

}  // namespace vsr::kernels
