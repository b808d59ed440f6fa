// Measures a segment's upscaled pictures against the film's, beside the stages that make them.
// Private to the room.
#pragma once

#include "vsr/base/frame_measures.hpp"
#include "vsr/base/luma_samples.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/job/plan.hpp"
#include "vsr/pipeline/picture_measures.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace vsr::pipeline {

// What is kept of a picture of the film until its upscaled one has been measured. Segments share
// those that both see.
struct SourceFrame {
  std::int64_t frame = 0;
  double decode_s = 0;
  // Of frames that are measured, and of their neighbours; empty where the picture stayed on a GPU.
  std::optional<LumaSamples> luma;
  // Of frames that are measured; likewise.
  PictureFormat format;
  std::vector<std::byte> memory;
};

using SourceFramePtr = std::shared_ptr<const SourceFrame>;

// `picture`: null where it is not on the host.
std::shared_ptr<SourceFrame> keep_source(std::int64_t frame,
                                         const QualityOptions& options,
                                         const PictureView* picture);

// Threads: add() from the decoding one; measure() from one other; finish() when both are done.
class QualityMeter {
 public:
  // `colour`: of the film's pictures. References must outlive it.
  QualityMeter(const Segment& segment,
               const PipelineOptions& options,
               const ColourDescription& colour);

  bool measures(std::int64_t frame) const;
  void add(SourceFramePtr source);
  // Frames in ascending order, each after the add() of its source. A failure is none of the
  // segment's: it ends the measuring, and a warning says so.
  void measure(std::int64_t frame, const PictureView& upscaled);

  // Puts measures, previews and warnings into `result`.
  void finish(SegmentResult& result);

 private:
  struct Waiting {
    std::int64_t frame;
    LumaSamples projected;
    std::string colours_fit;
  };

  struct Worst {
    std::int64_t frame = 0;
    float db = 0;
    SourceFramePtr source;
    PictureFormat format;
    std::vector<std::byte> memory;
  };

  // How many frames something is wrong with, the first of them or the worst, and what.
  struct Fault {
    std::int64_t frames = 0;
    std::int64_t frame = 0;
    std::string what;
  };

  template <typename Work>
  void guarded(const Work& work);
  void measure_frame(std::int64_t frame, const PictureView& upscaled);
  void take_note(std::int64_t frame, const PictureMeasures& found);
  void keep_if_worst(const SourceFramePtr& source, float db, const PictureView& upscaled);
  void look_at_neighbours(bool all_are_there);
  void judge(const Waiting& waiting);
  std::optional<std::int64_t> looks_like(const Waiting& waiting) const;
  void forget(std::int64_t before);
  SourceFramePtr source_of(std::int64_t frame) const;
  std::int64_t middle_frame() const;
  Preview preview(const SourceFrame& source,
                  const PictureView& upscaled,
                  const std::string& kind) const;
  std::vector<std::string> warnings() const;

  const Segment& segment_;
  const PipelineOptions& options_;
  const ColourDescription colour_;
  mutable std::mutex mutex_;
  std::map<std::int64_t, SourceFramePtr> sources_;  // guarded by mutex_
  // All below: of the thread that measures.
  FrameMeasures measures_;
  std::vector<Preview> previews_;
  std::deque<Waiting> waiting_;  // for the source's next frame
  std::optional<Worst> worst_;
  std::int64_t measured_ = 0;
  Fault below_;
  Fault displaced_;
  std::map<std::string, Fault> colours_;
  std::string failure_;
};

}  // namespace vsr::pipeline
