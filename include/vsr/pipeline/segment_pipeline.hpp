// Segments on one device: decode -> upload -> network -> download -> encode, all at once over
// bounded queues. Which segment, and what its completion means, is decided elsewhere.
//
// Memory: rings and queues do not grow with the film. The second segment that is in at the same
// time brings rings of downloads once more. Threads: run() from any number of threads; one beside
// the one at work is enough for the device to go on from segment to segment. Each call uses two of
// its own (decode, encode) beside those of decoder and encoders.
#pragma once

#include "vsr/base/frame_measures.hpp"
#include "vsr/base/luma_samples.hpp"
#include "vsr/job/plan.hpp"
#include "vsr/media/segment_writer.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/model/upscaler.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vsr::pipeline {

// What is measured beside the stages (docs/quality.md): the frames of the timeline that `every`
// divides, by a thread of lower priority that has the upscaled pictures, or their digests, where
// they lie for the encoders. It holds up the stages for no more than a fiftieth of the time: frames
// that come when it is too far behind are passed over, and an event says how many. Where the device
// gives packets it has to give digests, and two pictures are decoded afterwards for the previews.
//
// Memory: a source picture of each frame measured waits for its upscaled one (prefetch, a window
// and the pictures on their way to the encoders, at most), 16 KB of each frame beside one; the
// upscaled picture that is worst in the segment; a digest for each place on the way to the
// encoders.
struct QualityOptions {
  int every = 0;  // 0: nothing is measured, no times are kept
  double warn_below_db = 0;
  double patience_s = 0;  // that a segment may be held up beyond that: for tests
};

struct PipelineOptions {
  media::MezzanineCodec codec = media::MezzanineCodec::kProres;
  ColourDescription output_colour;
  Rational sample_aspect{1, 1};
  int max_seq_len = 32;  // resolved, >= 1
  int overlap = 10;
  int prefetch = 16;       // decoded pictures kept ready
  int decode_threads = 0;  // 0: as many as this process may use
  // stay_on_gpu: where no filter has to see the pictures and the upscaler takes them there.
  media::DecodeDevice decode_device;
  int encode_threads = 0;
  // Where there is to be no mezzanine: opens what takes the pictures of a segment's core instead.
  std::function<std::unique_ptr<media::PictureWriter>(const Segment&, const std::filesystem::path&)>
      open_writer;
  QualityOptions quality;
  bool pinned = false;  // host rings for asynchronous copies; true with a GPU
};

// Frames finished so far within the segment, for progress.
using FrameProgress = std::function<void(std::int64_t frames)>;

// Where a segment tells how far it is, for whoever looks meanwhile. It is written once a picture at
// most; the values do not belong to one instant. Threads: any.
struct SegmentGauge {
  std::atomic<std::int64_t> frames = 0;  // finished
  std::atomic<int> window = -1;          // that the network is at, from 0
  std::atomic<int> windows = -1;         // that there will be, unless memory runs out
  // Pictures that wait for the network, and for encoders; how many can.
  std::atomic<int> decoded = 0;
  std::atomic<int> decoded_size = 0;
  std::atomic<int> upscaled = 0;
  std::atomic<int> upscaled_size = 0;
  // Seconds that the network's thread was at work, and waited for pictures, and for room behind it;
  // and that the encode thread waited for the device.
  std::atomic<double> network_s = 0;
  std::atomic<double> decode_wait_s = 0;
  std::atomic<double> encode_wait_s = 0;
  std::atomic<double> device_s = 0;
};

struct SegmentResult {
  media::WrittenMezzanine mezzanine;                   // or what open_writer's made
  std::vector<std::pair<std::int64_t, int>> windows;   // first frame given, frames seen
  std::vector<std::pair<std::string, double>> busy_s;  // by stage: seconds at work, not waiting
  std::vector<std::string> events;                     // what went otherwise than planned
  LumaByFrame seam_luma;  // of seam_frames(), as upscaled; from the mezzanine if it came as packets
  FrameMeasures measures;
  std::vector<Preview> previews;
  std::vector<std::string> quality_warnings;  // a line for each kind of fault
  double wall_s = 0;  // since it came, or since the one before it was done if that was later
};

class SegmentPipeline {
 public:
  // Keeps references to `timeline` and `upscaler`, which must outlive it.
  SegmentPipeline(const media::Timeline& timeline,
                  model::PictureUpscaler& upscaler,
                  const PipelineOptions& options);
  ~SegmentPipeline();

  // Makes the mezzanine of segment.input at `path` (published when whole). Running out of memory
  // halves the window and goes on; the rest of the segment keeps the shorter one.
  // Segments that are in at the same time go through in the order in which they came, and one that
  // fails leaves the others alone. `next_may_begin` is called once at most: from then on the
  // decoder is free, while this segment is at its last window.
  // `stop` >= 1 gives up a segment that waits for the network still, 2 any (Error(kInterrupted));
  // what was written stays as *.part. `gauge` (may be null) has to outlive the call.
  SegmentResult run(const Segment& segment,
                    const std::filesystem::path& path,
                    const std::atomic<int>& stop,
                    const FrameProgress& progress,
                    const std::function<void()>& next_may_begin = {},
                    SegmentGauge* gauge = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::pipeline
