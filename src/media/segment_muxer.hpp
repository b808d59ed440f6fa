// The container of a mezzanine: one video stream, one packet a picture, times exact to the tick.
// For segments and for the master joined from them. Private to src/media and src/assemble.
#pragma once

#include "av.hpp"
#include "vsr/media/segment_writer.hpp"

#include <filesystem>

namespace vsr::media {

class SegmentMuxer {
 public:
  // Creates part_name(path). MOV for ProRes and DNxHR, Matroska for FFV1.
  // REQUIRES: codec != kPng, which has no container.
  SegmentMuxer(const std::filesystem::path& path,
               MezzanineCodec codec,
               const AVCodecParameters& parameters,
               const Rational& rate,
               const Rational& sample_aspect);

  // Takes the packet; its pts counts pictures. Throws Error(kStorage).
  void write(AVPacket& packet);
  // Ends and closes part_name(path); publishing is the caller's.
  void finish();

 private:
  std::filesystem::path part_;
  AVRational frame_;  // time of one picture
  OutputPtr muxer_;
};

}  // namespace vsr::media
