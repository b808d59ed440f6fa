// The working threads of a rank: take segments, give outcomes back. Private.
#pragma once

#include "vsr/base/bounded_queue.hpp"
#include "vsr/cluster/cluster.hpp"

#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

namespace vsr::cluster {

class Worker {
 public:
  explicit Worker(const Runner& runner);
  // Waits for the segments in hand.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // For each segment started there are two: that the next one may be started, and then or later
  // its outcome.
  struct Event {
    std::optional<SegmentOutcome> outcome;  // none: the next segment may be started
  };

  // REQUIRES: it is the first one, or an event has said so.
  void start(int segment, int attempt);
  // The next event if there is one. Never waits.
  std::optional<Event> poll();

  // Whether a segment is in hand.
  bool busy() const { return in_hand_ > 0; }

 private:
  using Clock = std::chrono::steady_clock;

  struct Task {
    int segment;
    int attempt;
  };

  void work(const Runner& runner);
  SegmentOutcome run(const Runner& runner, const Task& task);

  // One is being finished, one is begun.
  static constexpr int kAtOnce = 2;

  BoundedQueue<Task> tasks_{kAtOnce};
  BoundedQueue<Event> events_{2 * kAtOnce};
  int in_hand_ = 0;         // of the speaking thread, as is:
  bool held_back_ = false;  // a segment let the next one begin, but no thread was free
  std::mutex mutex_;
  Clock::time_point done_;  // guarded by mutex_: when the last outcome was known
  std::array<std::thread, kAtOnce> threads_;
};

}  // namespace vsr::cluster
