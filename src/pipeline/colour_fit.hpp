// Whether two pictures of one scene have their colours by the same matrix, range and order of
// channels, told by what would bring them together. Private to the room.
//
// Note [Colours that fit]
// No limit to the difference of two pictures tells a wrong matrix: on a film with grain, which the
// network takes away, the pictures differ by 30 dB with the right one and with the wrong one. Means
// over blocks know no grain, but how far a wrong matrix brings them apart depends on how colourful
// the film is. What tells is whether the pictures fit better with a mistake supposed: then it was
// made, however small its effect (docs/quality.md has figures).
#pragma once

#include "resample.hpp"
#include "vsr/base/picture.hpp"

#include <string>

namespace vsr::pipeline {

struct ColourMeaning {
  PictureFormat format;
  ColourDescription colour;
};

// Empty: they fit best as they are said to be, or well. Else what was mistaken in one of them by
// the look of it: "bt601 and bt709 mixed up", "Cb and Cr swapped". REQUIRES: pictures of one size.
std::string better_fit(const RgbPicture& source,
                       const ColourMeaning& source_meaning,
                       const RgbPicture& upscaled,
                       const ColourMeaning& upscaled_meaning);

}  // namespace vsr::pipeline
