// Pictures for people to look at, in a web page or a viewer.
#pragma once

#include "vsr/base/picture.hpp"

#include <cstddef>
#include <string>

namespace vsr::media {

// A JPEG file (baseline, 4:2:0) of an R'G'B' picture of 8 bits. As good as a viewer's "85", or, of
// a picture that takes more than `most_bytes` then, as good as fits, but no worse than "50".
// Throws Error(kInternal) for a picture of another kind.
std::string encode_jpeg(const PictureView& picture, std::size_t most_bytes);

}  // namespace vsr::media
