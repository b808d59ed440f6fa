// What the film's picture becomes, and the encoder that makes it.
#pragma once

#include "media/av.hpp"
#include "vsr/assemble/assemble.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include <libavutil/mastering_display_metadata.h>
}

namespace vsr::assemble {

// [final] encoder=copy: the mezzanine itself is the film's video stream.
bool copies_video(const FinalOptions& options);
Rational final_rate(const AssembleSpec& spec);

// Size and clock of the final picture.
struct VideoTarget {
  int width = 0;
  int height = 0;
  Rational rate;
  Rational sample_aspect{1, 1};
  ColourDescription colour;
};

// With a height asked for, the picture gets square pixels and the nearest even width; without, it
// keeps its size (less an odd last row or column, which 4:2:0 cannot hold) and pixel shape.
// Throws Error(kUsage) naming the key at fault.
VideoTarget plan_target(const AssembleSpec& spec);

// Light levels the film was graded for; they go into the stream and the container.
struct HdrMetadata {
  std::optional<AVMasteringDisplayMetadata> mastering;
  std::optional<AVContentLightMetadata> light;
};

// SVT-AV1 waits for ever when it is closed without having been ended, and when it is ended without
// having got a picture: so, unless it has been ended, it gets one more and is ended first.
struct CloseVideoEncoder {
  void operator()(AVCodecContext* encoder) const;
};

using VideoEncoderPtr = std::unique_ptr<AVCodecContext, CloseVideoEncoder>;

struct EncoderThreads {
  int count = 0;             // processors that it may keep busy; 0: as many as this process may use
  bool one_of_many = false;  // see AssembleSpec
};

// Opens final.encoder with preset, crf, tune and params; of these, what is as FinalOptions has it
// by default is meant for libx265, and another encoder gets its own instead. What it makes does not
// depend on how many threads there are (Note [Same bytes on any machine]).
// Throws Error(kUsage) naming key, and parameter, that the encoder does not take.
VideoEncoderPtr open_video_encoder(const FinalOptions& options,
                                   const VideoTarget& target,
                                   const HdrMetadata& hdr,
                                   const EncoderThreads& threads,
                                   std::vector<std::string>& warnings);

// What the encoder's own options (AVCodecContext::priv_data) are set to, in this order, but for the
// light levels. Throws Error(kUsage) as open_video_encoder() does, which does it.
std::vector<std::pair<std::string, std::string>> encoder_options(const FinalOptions& options,
                                                                 const EncoderThreads& threads);

// "libx265 preset=slow crf=16 tune=grain aq-mode=3", for the stream's ENCODER_SETTINGS tag.
std::string describe_encoder(const FinalOptions& options);

}  // namespace vsr::assemble
