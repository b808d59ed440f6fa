// What differs between a build with CUDA and one without, and what every call into torch needs
// around it. device_cuda.cpp or device_host.cpp implements the first part.
#pragma once

#include "vsr/base/precision.hpp"
#include "vsr/gpu/stream.hpp"
#include "vsr/model/device_spec.hpp"

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/Stream.h>

#include <exception>
#include <string_view>
#include <utility>

namespace vsr::model::reference {

// Our view of a torch stream, for our kernels and events.
gpu::StreamView view_of(const c10::Stream& stream);
// A stream of its own (not the default one) on `device`; on the CPU the only one there is.
c10::Stream new_stream(const c10::Device& device);
c10::Stream current_stream(const c10::Device& device);
// Waits for all work on `device` and gives the allocator's cached blocks back. Never throws.
void release_cached_memory(const c10::Device& device) noexcept;

// Where and in what the network computes.
struct Compute {
  c10::Device device{c10::DeviceType::CPU};
  Precision precision = Precision::kFp32;
  at::ScalarType type = at::kFloat;  // of features and weights; flows are fp32 always
  int cpu_threads = 1;

  bool on_cuda() const { return device.is_cuda(); }
};

// Throws Error(kGpu) when the device is not there, Error(kModel) for a precision it does not offer.
// cpu_threads 0: as many as this process may use.
Compute make_compute(const DeviceSpec& device, Precision precision, int cpu_threads);

// Held around every use of torch: no autograd, the right device current, as many threads, and TF32
// as the precision says. (Torch keeps the last two for the thread and the process; so two networks
// of different precision may not run at the same time.)
class ComputeScope {
 public:
  explicit ComputeScope(const Compute& compute);

 private:
  c10::InferenceMode inference_;
  c10::DeviceGuard device_;
};

// To be called while an exception is handled: throws it again as ours. Memory that is not there
// becomes OutOfMemory, everything else torch says Error(kGpu) on a GPU, else Error(kInternal).
[[noreturn]] void rethrow_as_ours(const Compute& compute, std::string_view what);

// Runs `work` with torch's exceptions turned into ours; `what` says what was tried. After
// OutOfMemory everything that `work` held is free again.
template <typename Work>
auto guarded(const Compute& compute, std::string_view what, Work&& work) {
  try {
    const ComputeScope scope(compute);
    return std::forward<Work>(work)();
  } catch (...) {
    rethrow_as_ours(compute, what);
  }
}

}  // namespace vsr::model::reference
