// The bare network: RGB frames in host memory in, RGB frames out, with a look at what is computed
// on the way. For golden data, the self-test and benches; films go through Upscaler.
//
// Threads: one call at a time.
#pragma once

#include "vsr/base/backend.hpp"
#include "vsr/base/precision.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/device_spec.hpp"

#include <map>
#include <memory>
#include <string>

namespace vsr::model {

// "2.11.0", for --version.
std::string torch_version();

struct NetworkOptions {
  DeviceSpec device;
  Precision precision = Precision::kFp32;
  Backend backend = Backend::kAuto;
  int cpu_threads = 0;  // 0: all that this process may use
};

// Everything the network computes on the way, fp32, by the names of the golden files:
//   flows_forward, flows_backward          (T - 1, 2, h, w)
//   spatial, backward_1, forward_1, ...    (T, c, h, w)
using Intermediates = std::map<std::string, Tensor>;

class Network {
 public:
  // Throws Error(kGpu) when the device is not there, Error(kModel) when the options do not suit it.
  Network(const Checkpoint& checkpoint, const NetworkOptions& options);
  ~Network();
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;

  // `frames`: (T, 3, H, W), RGB in 0..1, T >= 1. Gives (T, 3, scale * H, scale * W), not clamped.
  // Pictures too small for the network are padded by their edge and the result is cropped
  // (intermediates are not). Throws OutOfMemory; the Network stays usable.
  Tensor forward(const Tensor& frames, Intermediates* intermediates = nullptr);

  // Seconds spent by part ("flow", "features", ...) since the beginning; meaningful on the CPU,
  // where the work is done when the call returns. The fused back end has none.
  std::map<std::string, double> seconds_by_part() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::model
