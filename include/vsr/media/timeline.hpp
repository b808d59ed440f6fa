// The timeline: the preprocessed film as pictures 0..N-1 at one constant rate, and the way back
// from a picture's number to the place in the source that gives it.
//
// A Timeline is a plain value, made once (by rank 0), stored in the plan and sent to every rank:
// whoever reads frame k through it gets the same picture, bit for bit.
#pragma once

#include "vsr/base/byte_source.hpp"
#include "vsr/base/device_picture.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"
#include "vsr/media/decoding.hpp"
#include "vsr/media/source.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vsr::media {

// How source pictures become timeline pictures. Filled from the job's [preprocess] and [input].
struct TimelineOptions {
  std::string filters;  // a libavfilter graph with one input and one output; empty: none
  // A constant rate to bring the film to, by repeating and dropping pictures; unset: the stream's
  // own. A source without a clock (image sequence, bare video stream) simply runs at this rate.
  std::optional<Rational> fps;
  std::optional<Matrix> matrix;  // matrix of the source where it carries no tag
  double start_s = 0;            // part of the film, in seconds from its first picture
  double end_s = 0;              // 0: to the end
  enum class Mezzanine { kAuto, kNever, kAlways } mezzanine = Mezzanine::kAuto;
};

struct Timeline {
  std::string source;              // file that FrameReader opens: the film, or its intra mezzanine
  OpenBytes open;                  // its bytes, where it is not on this host; never stored
  std::uint64_t source_bytes = 0;  // its size, to notice another file; 0: not known
  bool own_mezzanine = false;      // `source` is write_mezzanine()'s: every bit of it must be right
  std::string filters;             // graph applied after decoding; empty for a mezzanine
  Rational rate;                   // constant
  PictureFormat format;            // of every picture
  ColourDescription colour;        // of every picture
  Rational sample_aspect{1, 1};
  // Seconds on the source's own clock (its container's timestamps as they are) at which picture 0
  // is shown: sound, subtitles and chapters are placed relative to it.
  Rational start_time_s{0, 1};
  // Picture k is what the graph makes of the source picture number source_picture[k] (counted in
  // presentation order from 0), never descending. Repeats and gaps are how a variable rate becomes
  // a constant one.
  std::vector<std::int64_t> source_picture;
  // Presentation times of the source's pictures in source_time_base, ascending; and which of them
  // the demuxer can seek to. No times: they are missing or broken, pictures are counted from the
  // start of the file, source_time_base apart.
  Rational source_time_base{1, 1};
  std::vector<std::int64_t> source_pts;
  std::vector<std::int64_t> seek_points;  // indices into source_pts, ascending
  int video_stream = 0;
  // What the graph is told of the source's pictures, over their own tags.
  ColourDescription source_colour;
  Rational source_sample_aspect{1, 1};
  // Pictures a filter must have seen before it gives the right one (bwdif: 1), and whether the
  // source can be entered anywhere but at its start (else every reader decodes from there).
  int preroll_pictures = 0;
  bool seekable = true;

  std::int64_t frames() const { return static_cast<std::int64_t>(source_picture.size()); }

  // A compact form with a version.
  std::string serialize() const;
  // Throws Error(kStorage) on anything serialize() did not write.
  static Timeline deserialize(const std::string& bytes);
};

// Reads through the whole source once (packets only), resolves rates, ranges and colour, tries the
// graph on the first pictures, and enters the film at a few places to see that they can be found.
//
// `needs_mezzanine` in the result says that frames cannot be found exactly, or not quickly, in the
// source itself, and why; the timeline beside it is then good for estimates only:
//   - times that are missing, doubled, or jump (a bare video stream, a joined transport stream),
//   - a graph whose memory has no known bound, that counts pictures, or changes their number or
//     times (every filter that is not in the table of src/media/filter_facts.cpp),
//   - a picture size that changes on the way,
//   - a container in which seeking does not reach the pictures it promises.
// With Mezzanine::kNever such a film is read from its start by every FrameReader (`seekable` false:
// exact, slow); a graph that changes the number of pictures is then Error(kUsage).
//
// What happens to films that are not as they should be:
//   - Variable rate: frame k shows the last picture whose time is at most k/rate plus half a frame.
//     Without `fps`, the rate is the one at which most pictures follow each other, else the
//     average, taken to a usual rate close by. 2:3 pulldown flags give the film's 24000/1001.
//   - Another size or pixel format on the way: pictures are scaled back to the first size behind
//     the graph, with a warning.
//   - A file that ends early: the timeline ends with the last picture that decodes; a warning says
//     how many seconds are missing. Pictures at the start that need what is not there are left out.
//   - A picture in the middle that does not decode: FrameReader.
//   - Alpha is dropped, 4:1:1 and its like interpolated to 4:4:4, each with a warning.
struct TimelinePlan {
  Timeline timeline;  // good as it is unless needs_mezzanine
  bool needs_mezzanine = false;
  std::string why;  // for the log and the user
  std::vector<std::string> warnings;
};

// `progress` gets the pictures seen so far, very often, and returns false to stop
// (Error(kInterrupted)).
// Throws Error(kInput) for what cannot be read, Error(kUsage) for a graph that does not parse,
// makes pictures without end, or crops otherwise than it says.
TimelinePlan plan_timeline(const SourceInfo& source,
                           const TimelineOptions& options,
                           const std::function<bool(std::int64_t)>& progress = {});

// Decodes and filters the whole film once, in order, into a lossless intra-only file (FFV1 in
// Matroska) and returns the timeline over that. Writes part_name(path), then publishes.
// `progress` gets pictures written so far, also while none can be written yet or any more, and
// returns false to stop (Error(kInterrupted)). Throws as plan_timeline() does.
Timeline write_mezzanine(const SourceInfo& source,
                         const TimelineOptions& options,
                         const std::filesystem::path& path,
                         const std::function<bool(std::int64_t)>& progress);

// Pictures of the timeline in order from any place on: bit for bit what reading from frame 0 gives,
// whatever the number of threads, by the same decoder. Decoding starts two key pictures
// early, or more.
//
// A read that fails is Error(kStorage), never the end of the film: it may go well the next time. A
// film that ends before the timeline says so, cut since it was planned, is Error(kInput).
//
// Where the source has a picture that does not decode, the one before is shown in its place, so
// that sound stays in step, with a warning; when that befalls more than 5 % of the pictures passed
// (and more than 50), the reader gives up. Pictures that the decoder delivers but calls damaged are
// kept as it conceals them; for those alone the promise of equal bits is the decoder's to keep, and
// a mezzanine is the way to have them decoded once for all. remarks() tells of both kinds.
//
// Nothing is concealed in a mezzanine of our own (Timeline::own_mezzanine): there each packet's
// checksums are verified, and whatever is wrong with the file is Error(kStorage).
//
// Threads: one reader belongs to one thread at a time; decoding runs on threads of its own.
class FrameReader {
 public:
  // Throws Error(kInput) when the source is gone or has changed since the timeline was made.
  // `threads`: decoder and filter threads; 0: as many as this process may use.
  // With device.nvdec, here or from read(): Error(kUsage) where no GPU decodes such a film,
  // Error(kGpu) where this one does not, or is not there.
  FrameReader(const Timeline& timeline,
              std::int64_t first_frame,
              int threads = 0,
              const DecodeDevice& device = {});
  ~FrameReader();
  FrameReader(FrameReader&&) noexcept;
  FrameReader& operator=(FrameReader&&) noexcept;

  // The next picture, valid until the next call; false after the last one of the timeline.
  // Throws Error(kInput) naming the frame when the source ends early or cannot be decoded.
  bool read(PictureView& picture);
  // The same for callers that can use a picture where it was decoded: with device.stay_on_gpu
  // `on_device` is set in place of `picture` where nothing has to be done to the picture first (no
  // filter, no other size). Such a picture stays valid as long as its owner is kept.
  bool read(PictureView& picture, std::optional<DevicePicture>& on_device);
  // The number the next read() will give.
  std::int64_t position() const;

  // What was wrong with the source's pictures behind the frames [first, end), as far as they have
  // been read: a line each for those that another one stands in for, or that are damaged; after ten
  // of them, one line for all others. Forgets what lies before `first`.
  std::vector<std::string> remarks(std::int64_t first, std::int64_t end);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether the timeline's pictures can be decoded by NVDEC here: decodes the first one. Throws as
// FrameReader does.
void check_nvdec(const Timeline& timeline, const DecodeDevice& device);

}  // namespace vsr::media
