// Measures a segment's upscaled pictures against the film's, beside the stages that make them.
// Private to the room.
#pragma once

#include "vsr/base/error.hpp"
#include "vsr/base/frame_measures.hpp"
#include "vsr/base/luma_samples.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/job/plan.hpp"
#include "vsr/pipeline/picture_measures.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace vsr::pipeline {

// What is kept of a picture of the film until its upscaled one has been measured. Segments share
// those that both see.
struct SourceFrame {
  std::int64_t frame = 0;
  double decode_s = 0;
  // Of frames that are measured, and of their neighbours; empty where measuring had ended.
  std::optional<LumaSamples> luma;
  // Of frames that are measured; likewise.
  PictureFormat format;
  std::vector<std::byte> memory;
};

using SourceFramePtr = std::shared_ptr<const SourceFrame>;

// An upscaled picture as it is to be measured.
struct Upscaled {
  const PictureView* picture = nullptr;  // null: a packet came in its place
  DigestView digest;                     // where none came it is made of the picture
};

// Whether a frame or one beside it is measured: keep_source() wants its picture.
bool keeps_source(std::int64_t frame, int every);

// `every`: keeps pictures of the frames that it divides. `picture`: null where nobody will
// measure by it.
std::shared_ptr<SourceFrame> keep_source(std::int64_t frame, int every, const PictureView* picture);

// A failure is none of the segment's: it ends the measuring, and a warning says so. From then on
// nothing is kept.
//
// Threads: add() from the decoding one; measure(), to_show() and show() from one other; finish()
// when both are done; all else from any.
class QualityMeter {
 public:
  // `colour`: of the film's pictures. References must outlive it.
  QualityMeter(const Segment& segment,
               const PipelineOptions& options,
               const ColourDescription& colour);

  // False for all when the measuring has ended.
  bool measures(std::int64_t frame) const;
  // Every frame of the segment, in ascending order.
  void add(SourceFramePtr source);
  // Frames in ascending order, each after the add() of its source; without a source the upscaled
  // picture is measured alone.
  void measure(std::int64_t frame, const Upscaled& upscaled);

  // Frames whose previews want pictures in whose place packets came, when all has been measured;
  // show() each of them.
  std::set<std::int64_t> to_show() const;
  void show(std::int64_t frame, const PictureView& upscaled);

  // Does what measuring needs beside the meter, unless it has ended. What `work` throws ends it;
  // a stop alone is the segment's too.
  template <typename Work>
  void guarded(const Work& work) {
    if (ended_) return;
    try {
      work();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) throw;
      end(error.what());
    } catch (const std::exception& error) {
      end(error.what());
    }
  }

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
    std::vector<std::byte> memory;  // empty: to be shown

    void keep(const PictureView& upscaled);
  };

  // How many frames something is wrong with, the first of them or the worst, and what.
  struct Fault {
    std::int64_t frames = 0;
    std::int64_t frame = 0;
    std::string what;
  };

  void end(const char* failure);
  void measure_frame(std::int64_t frame, const Upscaled& upscaled);
  void take_note(std::int64_t frame, const PictureMeasures& found);
  void keep_if_worst(const SourceFramePtr& source, float db, const PictureView* upscaled);
  void look_at_neighbours(bool all_are_there);
  void judge(const Waiting& waiting);
  std::optional<std::int64_t> looks_like(const Waiting& waiting) const;
  void forget(std::int64_t before);
  SourceFramePtr source_of(std::int64_t frame) const;
  bool has_come(std::int64_t frame) const;
  std::int64_t middle_frame() const;
  Preview preview(const SourceFrame& source,
                  const PictureView& upscaled,
                  const std::string& kind) const;
  std::vector<std::string> warnings() const;

  const Segment& segment_;
  const PipelineOptions& options_;
  const ColourDescription colour_;
  std::atomic<bool> ended_ = false;  // set with mutex_ held
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::int64_t, SourceFramePtr> sources_;                  // empty when it has ended
  std::int64_t newest_ = std::numeric_limits<std::int64_t>::min();  // frame that was added
  std::string failure_;
  // All below: of the thread that measures.
  FrameMeasures measures_;
  std::vector<Preview> previews_;
  std::deque<Waiting> waiting_;  // for the source's next frame
  SourceFramePtr middle_;        // to be shown
  std::optional<Worst> worst_;
  std::int64_t measured_ = 0;
  Fault below_;
  Fault displaced_;
  std::map<std::string, Fault> colours_;
};

}  // namespace vsr::pipeline
