// Work of a stream that is queued again and again: recorded once, then queued whole by one call of
// the host's (a CUDA graph).
//
// Note [Recording]
// A recording stream gives nothing to the device, and whatever anybody queues in it meanwhile, an
// event of another thread's too, would become part of the graph. So what is recorded has a stream
// of its own that no other thread knows; the graph is queued wherever its owner likes. Only the
// recording thread is kept from calls that no recording survives (allocation, waiting); all others
// go on.
//
// Ownership: moves, never copies; what its work reads and writes must outlive it. Threads: one at a
// time.
#pragma once

#include "vsr/gpu/stream.hpp"

#include <functional>

namespace vsr::gpu {

class Graph {
 public:
  Graph() = default;  // nothing to do
  // What `queue` queues in `aside`: kernels and copies, with how they depend on each other. If it
  // throws, so does this, and `aside` is as before. Throws Error(kGpu), also for the host's stream.
  static Graph record(const Stream& aside, const std::function<void()>& queue);
  ~Graph();
  Graph(Graph&& other) noexcept;
  Graph& operator=(Graph&& other) noexcept;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Queues the whole in `stream`, of the same device. Throws Error(kGpu).
  void queue(StreamView stream) const;

 private:
  void* made_ = nullptr;  // cudaGraphExec_t
};

}  // namespace vsr::gpu
