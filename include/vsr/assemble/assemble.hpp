// The last step: mezzanines -> trimmed and joined -> one final encode, with sound, subtitles,
// chapters, attachments and metadata of the source, retimed from the timeline's rate to the final
// one. One video encode serves every audio variant. Needs no GPU.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "vsr/base/frame_range.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"
#include "vsr/job/job.hpp"
#include "vsr/media/segment_writer.hpp"

namespace vsr::assemble {

// A committed segment. Cores tile [0, frames) in order.
struct SegmentFile {
  std::filesystem::path path;
  FrameRange core;   // timeline frames to take
  FrameRange input;  // timeline frames the mezzanine holds
  std::vector<std::uint32_t> checksums;  // of its packets, by position in `input`
};

struct AssembleSpec {
  std::filesystem::path source;        // the film itself, for everything but the picture
  std::vector<SegmentFile> segments;
  media::MezzanineCodec codec = media::MezzanineCodec::kProres;
  PictureFormat picture;               // of the mezzanines
  ColourDescription colour;
  Rational sample_aspect{1, 1};
  Rational timeline_rate{25, 1};       // the final rate is options.fps, or this if unset
  // Source seconds at which timeline frame 0 is shown, and whether only a part of the film is made
  // (then sound, subtitles and chapters are cut to it).
  Rational start_time_s{0, 1};
  bool partial = false;
  FinalOptions options;
  StreamChoice audio;
  StreamChoice subtitles;
  std::filesystem::path out_dir;
  std::string name = "film";           // film_pitchOK.mkv, film_pitchLOW.mkv; film.mkv if not retimed
  int threads = 0;                     // 0: as many as this process may use
};

struct AssembleResult {
  std::vector<std::filesystem::path> files;
  std::int64_t frames = 0;
  std::vector<std::string> warnings;
};

// Checks, without doing any work, that encoder, tune, params, audio codec and layout are possible.
// Throws Error(kUsage) naming the key at fault (an unknown x265 parameter by its name).
void validate(const AssembleSpec& spec);

// `progress` gets frames encoded so far and returns false to stop (Error(kInterrupted)).
// Each file is written as *.part and published whole.
AssembleResult assemble(const AssembleSpec& spec, const std::function<bool(std::int64_t)>& progress);

}  // namespace vsr::assemble
