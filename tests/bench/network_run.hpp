// The fused network over one window again and again, frames on the device.
#pragma once

#include "vsr/base/precision.hpp"
#include "vsr/base/tiles.hpp"
#include "vsr/gpu/stream.hpp"
#include "vsr/model/checkpoint.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vsr::model::fused {
class Observer;
}

namespace vsr::bench {

struct NetworkWork {
  std::string film;
  int width = 1024;
  int height = 432;
  int frames = 30;
  Precision precision = Precision::kFp16;
  std::optional<Tiling> tiling;  // none: pictures as a whole
  bool host_features = false;
};

class NetworkRun {
 public:
  // Runs it once: memory is taken, modules are loaded. Throws Error(kGpu), Error(kModel).
  NetworkRun(const model::Checkpoint& checkpoint, const NetworkWork& work);
  ~NetworkRun();

  enum class Queued { kGraphs, kKernels };

  struct Rate {
    double frames_per_s = 0;
    double host_ms = 0;  // processor time a frame of the thread that queues
  };

  // Windows are waited for one by one, as a pipeline does, so that the host seldom waits for room
  // in the queue.
  Rate rate(int rounds, Queued queued = Queued::kGraphs) const;
  // One window, watched; queue_end() queues what shall come behind it.
  void run(model::fused::Observer& observer, const std::function<void()>& queue_end) const;

  // One window's pictures on the host, planar [3, height, width] of the upscaled size.
  std::vector<std::vector<float>> pictures() const;

  gpu::StreamView stream() const;
  std::size_t memory_bytes() const;     // of weights and window, as the device says
  std::size_t predicted_bytes() const;  // likewise, as told beforehand
  std::size_t host_bytes() const;       // pinned

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What such a run would take, without one.
std::size_t predicted_bytes(const model::Checkpoint& checkpoint, const NetworkWork& work);
// Its frames a second; nothing where this network, precision or machine has no fused back end.
std::optional<double> fused_rate(const model::Checkpoint& checkpoint, const NetworkWork& work);

}  // namespace vsr::bench
