// The film's picture, packet by packet: encoded anew, or the mezzanines' own packets joined. Every
// variant of the film muxes the same packets.
#pragma once

#include "media/av.hpp"
#include "video_encoder.hpp"
#include "vsr/assemble/assemble.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace vsr::assemble {

class VideoStream {
 public:
  virtual ~VideoStream() = default;

  virtual const AVCodecParameters& parameters() const = 0;
  // The next packet in decoding order; pts and dts count pictures. False after the last.
  // Threads: one caller; the work behind it runs on threads of its own.
  virtual bool read(AVPacket& packet) = 0;

  // Gives up: read() throws, on whatever thread it is. From any thread.
  virtual void stop() {}
};

// Total of the cores. Throws Error(kInternal) unless they tile [0, frames) in order.
std::int64_t count_frames(const AssembleSpec& spec);

// Gives pictures as the upscaler makes them, one after another, tagged by tag_picture() and
// numbered by pts from 0; null after the last.
using PictureSource = std::function<media::FramePtr()>;

// Tags a picture by the plan's word, which counts, and not what a container could hold of it.
void tag_picture(AVFrame& frame, const AssembleSpec& spec);

// Fetching, scaling and encoding at once, on three threads and those of the encoder. `pictures` is
// called on one of them; `frames`: how many it gives.
std::unique_ptr<VideoStream> encode_pictures(const AssembleSpec& spec,
                                             const VideoTarget& target,
                                             const HdrMetadata& hdr,
                                             std::int64_t frames,
                                             PictureSource pictures,
                                             std::vector<std::string>& warnings);
// The same of the mezzanines' pictures, `frames` in all.
std::unique_ptr<VideoStream> encode_video(const AssembleSpec& spec,
                                          const VideoTarget& target,
                                          const HdrMetadata& hdr,
                                          std::int64_t frames,
                                          std::vector<std::string>& warnings);
// The packets of the cores as they are, mezzanines' or chunks'. Throws Error(kUsage) for PNG
// sequences.
std::unique_ptr<VideoStream> join_video(const AssembleSpec& spec);

}  // namespace vsr::assemble
