// The working thread of a rank: takes one segment at a time, gives its outcome back. Private.
#pragma once

#include "vsr/base/bounded_queue.hpp"
#include "vsr/cluster/cluster.hpp"

#include <optional>
#include <thread>

namespace vsr::cluster {

class Worker {
 public:
  explicit Worker(const Runner& runner);
  // Waits for the segment in hand.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start(int segment, int attempt);
  // The outcome if one is ready. Never waits.
  std::optional<SegmentOutcome> poll();

  bool busy() const { return busy_; }

 private:
  struct Task {
    int segment;
    int attempt;
  };

  BoundedQueue<Task> tasks_{1};
  BoundedQueue<SegmentOutcome> outcomes_{1};
  bool busy_ = false;
  std::thread thread_;
};

}  // namespace vsr::cluster
