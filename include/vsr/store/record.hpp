// A segment's record, RUN/segments/0007.h5: written last, so that its presence commits the segment.
#pragma once

#include "vsr/base/frame_measures.hpp"
#include "vsr/base/luma_samples.hpp"
#include "vsr/job/plan.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vsr::store {

inline constexpr int kRecordVersion = 3;

struct Record {
  Segment segment;
  std::string plan_fingerprint;
  std::string file;         // the mezzanine or chunk, beside the record: "0007-3f2a91c4.mov"
  std::int64_t frames = 0;  // pictures in the mezzanine: Plan::held()
  std::uint64_t bytes = 0;  // of the mezzanine
  std::vector<std::uint32_t> checksums;               // CRC-32 of each picture's packet
  std::vector<std::pair<std::int64_t, int>> windows;  // first frame given, frames seen
  LumaByFrame seam_luma;  // of seam_frames(segment), for the seams with the neighbours
  // How it went, for people and reports.
  std::string host;
  std::string device;  // "NVIDIA H200", "cpu"
  int rank = 0;
  int attempt = 1;
  std::string started;  // ISO 8601, UTC
  double wall_s = 0;
  // Seconds each stage was at work (not waiting): "decode", "network", "encode", ...
  std::vector<std::pair<std::string, double>> stage_s;
  FrameMeasures measures;           // of the core's frames
  std::vector<Preview> previews;
  std::vector<std::string> events;  // "out of memory at frame 960: window 96 -> 48"
};

std::string encode_record(const Record& record);
// Throws Error(kStorage).
Record decode_record(const std::string& bytes);

}  // namespace vsr::store
