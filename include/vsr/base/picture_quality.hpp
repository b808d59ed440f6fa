// How far two pictures are apart: mean square of the difference and SSIM, plane by plane.
#pragma once

#include "vsr/base/picture.hpp"

#include <array>
#include <optional>

namespace vsr {

// Plain value.
struct PlaneQuality {
  double mean_square = 0;      // of the difference, in the samples' own steps
  std::optional<double> ssim;  // 1: the same; nothing for planes of less than 8 samples a side
};

struct PictureQuality {
  std::array<PlaneQuality, 3> planes;  // as many of them as plane_count() says
};

// SSIM as FFmpeg's filter of the name has it: over squares of 8x8 samples, one every four samples
// across and down, all weighing the same; what is left over at the right and the bottom does not
// count for SSIM, but does for the mean square.
// REQUIRES: equal formats. Threads: any.
PictureQuality compare_pictures(const PictureView& a, const PictureView& b);

// Of a mean square in steps of samples of so many bits; infinite where there is no difference.
double psnr_of(double mean_square, int bit_depth);

// Of all planes' samples together: each plane counts by its samples. Nothing where a plane has
// none.
double mean_square_of_all(const PictureQuality& quality, const PictureFormat& format);
std::optional<double> ssim_of_all(const PictureQuality& quality, const PictureFormat& format);

}  // namespace vsr
