// The working threads of a rank: take work, give outcomes back. Private.
#pragma once

#include "message.hpp"
#include "vsr/base/bounded_queue.hpp"
#include "vsr/cluster/cluster.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace vsr::cluster {

class Worker {
 public:
  Worker(const Runner& runner, const Capacity& capacity);
  // Waits for what is in hand.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // For each segment to be upscaled there are two: that the next one may be started, and then or
  // later its outcome. For each to be encoded there is its outcome.
  struct Event {
    std::optional<SegmentOutcome> outcome;  // none: the next one may be upscaled
  };

  // REQUIRES: to upscale, it is the first one or an event has said so; to encode, fewer are in hand
  // than there are encoders.
  void start(const Task& task);
  // The next event if there is one. Never waits.
  std::optional<Event> poll();

  // Whether anything is in hand.
  bool busy() const { return upscaling_ + encoding_ > 0; }

 private:
  using Clock = std::chrono::steady_clock;

  void work(const Runner& runner, BoundedQueue<Task>& tasks);
  SegmentOutcome run(const Runner& runner, const Task& task);

  // One is being finished, one is begun.
  static constexpr int kUpscaledAtOnce = 2;

  BoundedQueue<Task> to_upscale_{kUpscaledAtOnce};
  BoundedQueue<Task> to_encode_;
  BoundedQueue<Event> events_;
  int upscaling_ = 0;  // in hand; these are the speaking thread's
  int encoding_ = 0;
  bool held_back_ = false;  // a segment let the next one begin, but no thread was free
  std::mutex mutex_;
  Clock::time_point upscaled_;  // guarded by mutex_: when the last outcome was known
  std::vector<std::thread> threads_;
};

// What rank 0 is told of it.
Note note_of(const Worker::Event& event);

}  // namespace vsr::cluster
