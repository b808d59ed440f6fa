// What is measured of one upscaled picture, with the picture that it was made of and without.
// Pure functions on the host; how the figures are meant: docs/quality.md.
#pragma once

#include "vsr/base/luma_samples.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/kernels/picture_digest.hpp"

#include <cstddef>
#include <limits>
#include <string>

namespace vsr::pipeline {

// A picture with what its samples mean.
struct ColouredPicture {
  PictureView view;
  ColourDescription colour;
};

// An upscaled picture as its digest shows it; the memory is somebody else's, null: there is none.
struct DigestView {
  kernels::DigestShape shape;
  const std::byte* memory = nullptr;
};

// NaN: it cannot be told.
struct PictureMeasures {
  float luma_mean = std::numeric_limits<float>::quiet_NaN();
  float sharpness = std::numeric_limits<float>::quiet_NaN();
  float sharpness_gain = std::numeric_limits<float>::quiet_NaN();
  float back_projection_db = std::numeric_limits<float>::quiet_NaN();
  // Empty, or what was mistaken about the colours of one of both, by the look of it: "bt601 in
  // place of bt709", "Cb and Cr swapped".
  std::string colours_fit;
  // The upscaled picture as small as the source and as the source has its luma: sample_luma() of
  // the source beside it tells whether they are one frame.
  LumaSamples projected;
};

// `upscaled` may be of any size, and smaller than `source` too: they are compared at the smaller
// one of both.
PictureMeasures measure_picture(const ColouredPicture& source, const ColouredPicture& upscaled);
// luma_mean and sharpness alone.
PictureMeasures measure_picture(const ColouredPicture& upscaled);

// The same figures of the picture's digest. REQUIRES: its shape is digest_shape() with `source`.
PictureMeasures measure_picture(const ColouredPicture& source, const DigestView& upscaled);
// Its small picture has the mean that counts here.
PictureMeasures measure_picture(const DigestView& upscaled);

}  // namespace vsr::pipeline
