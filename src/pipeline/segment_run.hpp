// One segment on its way through the stages: decode -> network -> encode, each in a thread.
// Private.
#pragma once

#include "frame_times.hpp"
#include "quality_meter.hpp"
#include "stages.hpp"
#include "vsr/base/bounded_queue.hpp"
#include "vsr/gpu/event.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vsr::pipeline {

class Stopwatch {
 public:
  void start() { begin_ = std::chrono::steady_clock::now(); }

  void stop() {
    total_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

  double total_s() const { return total_s_; }

 private:
  std::chrono::steady_clock::time_point begin_;
  double total_s_ = 0;
};

// Remembers the first failure of any stage and wakes all others.
class FirstFailure {
 public:
  explicit FirstFailure(std::function<void()> wake) : wake_(std::move(wake)) {}

  void set(std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(failure);
    }
    wake_();
  }

  bool is_set() {
    const std::lock_guard lock(mutex_);
    return failure_ != nullptr;
  }

  void rethrow() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::exception_ptr failure_;  // guarded by mutex_
};

// Who hears how far it is; the functions may be empty.
struct SegmentListener {
  const FrameProgress& progress;
  const std::function<void()>& next_may_begin;
  SegmentGauge& gauge;
};

class SegmentRun {
 public:
  // All references must outlive it; `place` has not left a stage.
  SegmentRun(Stages& stages,
             Place& place,
             Downloads& downloads,
             const Segment& segment,
             int max_seq_len,
             const std::atomic<int>& stop,
             const SegmentListener& listener);

  // Returns, or throws the first stage's failure, when all its threads have ended. `busy_s` and all
  // but `wall_s` are told.
  SegmentResult go(const std::filesystem::path& path);

 private:
  class Sink;

  struct Finished {
    std::size_t slot;
    gpu::Event ready;
  };

  // Given back when nobody holds it any more: the encoder and who measures read one picture.
  using SlotLease = std::shared_ptr<const void>;

  struct ToMeasure {
    std::int64_t frame;
    std::size_t slot;
    SlotLease lease;
  };

  // What has to stay as it is until the device has read a picture.
  struct Upload {
    gpu::Event read;
    std::optional<std::size_t> slot;    // of the ring
    std::shared_ptr<const void> owner;  // of a picture on the GPU
  };

  template <typename Stage>
  void guarded(const Stage& stage);
  void check_stop() const;

  // Decode thread.
  void decode();
  void begin_decoding();
  media::FrameReader& enter_segment();
  model::LrFrame upload(const PictureView& picture);
  model::LrFrame take(const DevicePicture& picture);
  void release_uploads();
  void abandon_uploads() noexcept;
  PictureView copy_down(const DevicePicture& picture);
  std::shared_ptr<SourceFrame> keep(std::int64_t frame,
                                    const PictureView& picture,
                                    const std::optional<DevicePicture>& on_device);
  void remember(const Decoded& frame);
  void hand_on(const Decoded& frame);

  // The calling thread.
  void wait_for_network();
  void upscale();
  void tell_window(const Window& window, int longest);
  void take_pictures(std::vector<model::LrFrame>& held, std::int64_t count);
  void end_decoding();

  // Encode thread, which hands on what the writer's threads encode.
  void encode(const std::filesystem::path& path);
  template <typename Take>
  void take_finished(const Take& take);
  SlotLease lend(std::size_t slot, std::int64_t frame);
  void have_measured(std::size_t slot, std::int64_t frame, const SlotLease& lease);
  template <typename Finish>
  void finish(std::int64_t frames, const Finish& finish_file);
  void keep_luma(std::int64_t frame, const PictureView& picture);
  void keep_luma_of_packets(const std::filesystem::path& path);
  template <typename Use>
  void read_back(const std::filesystem::path& path, const FrameRange& range, const Use& use);

  // Thread beside them.
  void measure(const std::filesystem::path& path);
  void show_packets(const std::filesystem::path& path);

  bool measures() const { return options_.quality.every > 0; }

  Stages& stages_;
  Place& place_;
  Downloads& downloads_;
  const PipelineOptions& options_;
  const Segment& segment_;
  const std::vector<FrameRange> seam_frames_;
  const int max_seq_len_;
  const std::atomic<int>& stop_;
  const SegmentListener listener_;
  BoundedQueue<model::LrFrame> decoded_;
  BoundedQueue<Finished> finished_;
  BoundedQueue<ToMeasure> to_measure_;
  QualityMeter meter_;
  FrameTimes times_;
  std::mutex decoding_mutex_;
  bool decoding_ = false;  // guarded by decoding_mutex_: the ring of uploads is this segment's
  FirstFailure failure_;
  std::deque<Upload> pending_uploads_;  // decode thread only
  std::vector<std::byte> copied_down_;  // decode thread only: a picture from the GPU
  Stopwatch decode_watch_;              // decode thread only
  Stopwatch network_watch_;             // calling thread only, as the next two
  Stopwatch decode_wait_watch_;
  Stopwatch encode_wait_watch_;
  Stopwatch device_watch_;            // encode thread only: waiting for the device
  Stopwatch lifetime_;                // encode thread only: since it began
  Stopwatch held_up_watch_;           // encode thread only: by what is measured
  int passed_over_ = 0;               // encode thread only: frames that were to be measured
  std::vector<std::string> remarks_;  // decode thread only: on the film's pictures
  SegmentResult result_;              // each field by one thread, read after the joins
};

}  // namespace vsr::pipeline
