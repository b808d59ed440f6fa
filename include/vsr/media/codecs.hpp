// What the FFmpeg libraries at hand can encode and decode.
#pragma once

#include <string>

namespace vsr::media {

// By the encoder's name, "libx265". That it is there does not mean that it works on this machine:
// hevc_nvenc needs a GPU.
bool has_encoder(const std::string& name);
// By the codec's name as a SourceInfo gives it, "mpeg2video".
bool has_decoder(const std::string& codec);

}  // namespace vsr::media
