#include "vsr/pipeline/segment_pipeline.hpp"

#include "segment_run.hpp"
#include "stages.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

namespace vsr::pipeline {

struct SegmentPipeline::Impl {
  using Clock = std::chrono::steady_clock;

  Impl(const media::Timeline& timeline,
       model::PictureUpscaler& upscaler,
       const PipelineOptions& options)
      : stages(timeline, upscaler, options) {}

  std::unique_ptr<Downloads> take_downloads() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto downloads = std::move(idle.back());
        idle.pop_back();
        return downloads;
      }
    }
    return std::make_unique<Downloads>(stages.upscaler, stages.options);
  }

  void give_back(std::unique_ptr<Downloads> downloads) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(downloads));
  }

  std::int64_t next_number() {
    const std::lock_guard lock(mutex);
    return numbers++;
  }

  // Seconds since `begin`, or since the segment before was done.
  double seconds_since(Clock::time_point begin) {
    const std::lock_guard lock(mutex);
    const Clock::time_point now = Clock::now();
    return std::chrono::duration<double>(now - std::max(begin, std::exchange(done, now))).count();
  }

  Stages stages;
  std::mutex mutex;
  std::vector<std::unique_ptr<Downloads>> idle;  // these are guarded by mutex
  std::int64_t numbers = 0;
  Clock::time_point done;  // of the last segment
};

SegmentPipeline::SegmentPipeline(const media::Timeline& timeline,
                                 model::PictureUpscaler& upscaler,
                                 const PipelineOptions& options)
    : impl_(std::make_unique<Impl>(timeline, upscaler, options)) {}

SegmentPipeline::~SegmentPipeline() = default;

SegmentResult SegmentPipeline::run(const Segment& segment,
                                   const std::filesystem::path& path,
                                   const std::atomic<int>& stop,
                                   const FrameProgress& progress,
                                   const std::function<void()>& next_may_begin,
                                   SegmentGauge* gauge) {
  const auto begin = Impl::Clock::now();
  Place place(impl_->stages, impl_->next_number());
  std::unique_ptr<Downloads> downloads = impl_->take_downloads();
  int longest = impl_->stages.options.max_seq_len;
  SegmentGauge unread;
  const SegmentListener listener{progress, next_may_begin, gauge == nullptr ? unread : *gauge};
  std::vector<std::string> events;
  while (true) {
    SegmentRun run(impl_->stages, place, *downloads, segment, longest, stop, listener);
    try {
      SegmentResult result = run.go(path);
      result.events.insert(result.events.begin(), events.begin(), events.end());
      result.wall_s = impl_->seconds_since(begin);
      impl_->give_back(std::move(downloads));
      return result;
    } catch (const OutOfMemory& error) {
      // Not in the network, which deals with it there, but where a picture goes up beside it.
      if (longest == 1 || place.left_decoding()) throw;
      const int shorter =
          std::max(1, static_cast<int>(std::min<std::int64_t>(longest, segment.input.size())) / 2);
      events.push_back(format("out of memory beside a window of {}: the segment again with {} ({})",
                              longest,
                              shorter,
                              error.what()));
      log::warning("pipeline", "segment {}: {}", segment.index, events.back());
      longest = shorter;
    }
    // What was not there may be in the hands of the segment before.
    if (!place.wait_for_upscaling([&] { return stop.load() >= kFinishWhatIsBegun; })) {
      throw Error(ErrorCode::kInterrupted, "stopped");
    }
  }
}

}  // namespace vsr::pipeline
