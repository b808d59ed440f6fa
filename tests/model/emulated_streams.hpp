// The gpu room's streams and events on the CPU: work waits in its stream until run_streams() does
// it, in one of the orders that events allow. So what is ordered too little can be found without a
// GPU, and again. A program with this in it does not link the room.
#pragma once

#include "vsr/gpu/stream.hpp"

#include <cstdint>
#include <functional>
#include <random>

namespace vsr::test {

// Queues what stands for a kernel: `begin`, and after whatever else happens meanwhile `end`.
void queue_kernel(gpu::StreamView stream,
                  const std::function<void()>& begin,
                  const std::function<void()>& end);

// Does all that is queued. Now one stream runs ahead as far as it can, now another.
void run_streams(std::minstd_rand& random);

// Copies queued so far, from and to pinned memory, and times that a stream waits for another.
struct Queued {
  std::int64_t up = 0;
  std::int64_t down = 0;
  std::int64_t holds = 0;
};

Queued queued_so_far();

}  // namespace vsr::test
