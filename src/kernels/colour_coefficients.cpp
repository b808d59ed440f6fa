#include "vsr/kernels/colour_coefficients.hpp"

#include "vsr/base/error.hpp"

#include <algorithm>
#include <cmath>

namespace vsr::kernels {

LumaWeights luma_weights(Matrix matrix) {
  switch (matrix) {
    case Matrix::kBt601:
      return {0.299, 0.114};
    case Matrix::kBt709:
      return {0.2126, 0.0722};
    case Matrix::kBt2020Ncl:
      return {0.2627, 0.0593};
    case Matrix::kSmpte240m:
      return {0.212, 0.087};
    case Matrix::kFcc:
      return {0.30, 0.11};
  }
  throw Error(ErrorCode::kInternal, "unknown YUV matrix");
}

Quantiser quantiser_of(int bit_depth, bool full_range, bool chroma) {
  const double unit = static_cast<double>(1 << (bit_depth - 8));
  const double most = static_cast<double>((1 << bit_depth) - 1);
  const double middle = static_cast<double>(1 << (bit_depth - 1));
  if (full_range) return {most, chroma ? middle : 0};
  return chroma ? Quantiser{224 * unit, middle} : Quantiser{219 * unit, 16 * unit};
}

SitingOffset siting_offset(ChromaSiting siting) {
  switch (siting) {
    case ChromaSiting::kLeft:
      return {0, 0.5};
    case ChromaSiting::kCenter:
      return {0.5, 0.5};
    case ChromaSiting::kTopLeft:
      return {0, 0};
    case ChromaSiting::kTop:
      return {0.5, 0};
    case ChromaSiting::kBottomLeft:
      return {0, 1};
    case ChromaSiting::kBottom:
      return {0.5, 1};
  }
  throw Error(ErrorCode::kInternal, "unknown chroma siting");
}

bool halved_across(const PictureFormat& format) {
  return format.model == ColourModel::kYuv && format.subsampling != ChromaSubsampling::k444;
}

bool halved_down(const PictureFormat& format) {
  return format.model == ColourModel::kYuv && format.subsampling == ChromaSubsampling::k420;
}

ChromaNeighbours chroma_neighbours(double offset) { return {offset / 2, (1 - offset) / 2}; }

std::array<double, 4> chroma_taps(double offset) {
  std::array<double, 4> taps{};
  for (int i = 0; i < 4; ++i) {
    const double distance = std::abs(i - 1 - offset);
    taps[static_cast<std::size_t>(i)] = std::max(1 - distance / 2, 0.0) / 2;
  }
  return taps;
}

}  // namespace vsr::kernels
