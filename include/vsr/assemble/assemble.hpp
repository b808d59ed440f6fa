// The last step: mezzanines -> trimmed and joined -> one final encode, with sound, subtitles,
// chapters, attachments and metadata of the source, retimed from the timeline's rate to the final
// one. One video encode serves every audio variant. Needs no GPU.
#pragma once

#include "vsr/base/byte_source.hpp"
#include "vsr/base/frame_range.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"
#include "vsr/job/job.hpp"
#include "vsr/media/segment_writer.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vsr::assemble {

// A committed segment: a mezzanine, or a chunk (chunk_writer.hpp), whose input is its core. Cores
// tile [0, frames) in order.
struct SegmentFile {
  std::filesystem::path path;
  FrameRange core;                       // timeline frames to take
  FrameRange input;                      // timeline frames the mezzanine holds
  std::vector<std::uint32_t> checksums;  // of its packets, by position in `input`
  OpenBytes open;                        // its bytes, if not here; for encode_chunk()
};

struct AssembleSpec {
  std::filesystem::path source;  // the film itself, for everything but the picture
  OpenBytes open_source;         // its bytes, if not here; for chunks
  std::vector<SegmentFile> segments;
  media::MezzanineCodec codec = media::MezzanineCodec::kProres;  // kNone: chunks
  PictureFormat picture;  // of the mezzanines, or what chunks are made of
  ColourDescription colour;
  Rational sample_aspect{1, 1};
  Rational timeline_rate{25, 1};  // the final rate is options.fps, or this if unset
  // Source seconds at which timeline frame 0 is shown, and whether only a part of the film is made
  // (then sound, subtitles and chapters are cut to it).
  Rational start_time_s{0, 1};
  bool partial = false;
  FinalOptions options;
  StreamChoice audio;
  StreamChoice subtitles;
  std::filesystem::path out_dir;
  std::string name = "film";  // film_pitchOK.mkv, film_pitchLOW.mkv; film.mkv if not retimed
  int threads = 0;            // 0: as many as this process may use
  // Several encoders work at once, each on few threads: x265's frames one after the other, which
  // takes a third of the memory (and gives other bytes, on every machine the same).
  bool one_of_many = false;
};

struct AssembleResult {
  std::vector<std::filesystem::path> files;
  std::int64_t frames = 0;
  std::vector<std::string> warnings;
};

// Checks, without doing any work, that encoder, tune, params, audio codec and layout are possible.
// The segments may be missing yet. [final] encoder=copy takes the mezzanine itself as video stream
// (final.height must be 0 or the mezzanine's; preset, crf, tune and params do not matter). "auto"
// as preset, tune or params stands for what suits the encoder. Throws Error(kUsage) naming the key
// at fault (an unknown x265 parameter by its name), Error(kInput) for a source that cannot be read.
void validate(const AssembleSpec& spec);

// The picture that the final encode makes of one of `picture`'s size, by options.height; its
// samples are those of `picture`, its pixels are square. Throws Error(kUsage) naming the key.
PictureFormat final_picture(const FinalOptions& options,
                            const PictureFormat& picture,
                            const Rational& sample_aspect);

// `progress` gets frames encoded so far and returns false to stop (Error(kInterrupted)).
// Each file is written as *.part and published whole; on failure the *.part files are removed.
// Memory does not grow with the film.
AssembleResult assemble(const AssembleSpec& spec,
                        const std::function<bool(std::int64_t)>& progress);

// Joins the segments' cores into one mezzanine master at `path`, packet by packet and bit for bit,
// frame k at k / timeline_rate; only segments, codec, sample_aspect and timeline_rate of the spec
// are used. Returns the number of frames. `progress` as above.
// Throws Error(kUsage) for PNG sequences and chunks, Error(kStorage) for a damaged or missing
// packet.
std::int64_t concatenate(const AssembleSpec& spec,
                         const std::filesystem::path& path,
                         const std::function<bool(std::int64_t)>& progress);

}  // namespace vsr::assemble
