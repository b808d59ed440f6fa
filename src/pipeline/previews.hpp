// A frame before and after, for people to look at. Private to the room.
#pragma once

#include "vsr/base/frame_measures.hpp"
#include "vsr/base/rational.hpp"
#include "vsr/pipeline/picture_measures.hpp"

namespace vsr::pipeline {

// Fills before and after; with `detail` also those. `sample_aspect`: of the upscaled picture, which
// the previews show in square pixels.
void make_preview(const ColouredPicture& source,
                  const ColouredPicture& upscaled,
                  const Rational& sample_aspect,
                  bool detail,
                  Preview& preview);

}  // namespace vsr::pipeline
