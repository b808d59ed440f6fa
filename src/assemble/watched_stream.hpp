// Reading a video stream while somebody may ask to stop: an encoder may keep its first packet for
// minutes, and whoever asks is not kept waiting.
#pragma once

#include "video_stream.hpp"

#include <cstdint>
#include <functional>

namespace vsr::assemble {

// Gives every packet to `take` until the last, or until `progress` (packets so far, asked ten times
// a second from another thread) returns false: then false, and nothing more can be read.
// Throws what `take` and the stream throw.
bool read_watched(VideoStream& video,
                  const std::function<bool(std::int64_t)>& progress,
                  const std::function<void(const AVPacket&)>& take);

}  // namespace vsr::assemble
