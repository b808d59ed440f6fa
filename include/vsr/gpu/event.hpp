// A point in the work of a CUDA stream that the host can wait for. In a build without CUDA, and
// for an event that was never recorded, everything has already happened.
//
// Ownership: moves, never copies. Threads: record on one, wait on another, in that order.
#pragma once

#include "vsr/gpu/stream.hpp"

#include <memory>

namespace vsr::gpu {

class Event {
 public:
  Event() = default;  // nothing to wait for
  // Covers the work queued in `stream` up to here.
  static Event record(StreamView stream);

  // Blocks the calling thread (without spinning) until the work is done. Throws Error(kGpu).
  void wait() const;
  bool done() const;
  // Work queued in `stream` from here on waits for it; the calling thread does not.
  void hold(StreamView stream) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace vsr::gpu
