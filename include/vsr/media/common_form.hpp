// One form for two films' pictures (size, samples, colour), so that they can be compared sample by
// sample or stand in one picture; and the filters that bring a film to it.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"
#include "vsr/media/source.hpp"

#include <string>

namespace vsr::media {

struct PictureForm {
  PictureFormat format;
  ColourDescription colour;

  bool operator==(const PictureForm&) const = default;
};

// The form as a film has it.
PictureForm form_of(const VideoInfo& video);

// Width to height as shown, by size and sample aspect.
Rational shown_aspect(const VideoInfo& video);

// For a comparison: the samples and the colour of `a`, in the size of the film with fewer pixels.
// Where the size is odd, chroma would be subsampled, and something has to be converted, in 4:4:4:
// zscale makes no subsampled picture of an odd size.
PictureForm form_to_compare(const VideoInfo& a, const VideoInfo& b);

// A graph for TimelineOptions::filters that brings a film's pictures to `form`; empty when they are
// of that form. Enlarges by bicubic, reduces by lanczos; matrix, range, chroma siting and depth are
// converted in the same step, by zimg, rounding once, without dither; primaries and transfer are
// left as they are. Only numbers and our own words reach the text.
std::string filters_to(const VideoInfo& video, const PictureForm& form);

// What filters_to() does, for people: "reduced from 1708x720 to 1024x432 by lanczos"; empty:
// nothing.
std::string conversion_text(const VideoInfo& video, const PictureForm& form);

}  // namespace vsr::media
