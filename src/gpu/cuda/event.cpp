#include "vsr/gpu/event.hpp"

#include "cuda/check.hpp"

namespace vsr::gpu {

struct Event::State {
  cudaEvent_t event = nullptr;
  int device = 0;

  explicit State(int of_device) : device(of_device) {
    // Blocking: the waiting thread sleeps, since its core belongs to the encoder.
    check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync),
               "cannot make a GPU event");
  }

  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ~State() {
    if (event != nullptr) cudaEventDestroy(event);  // at worst it leaks with a dying context
  }
};

Event Event::record(StreamView stream) {
  if (stream.device < 0) return {};
  const DeviceGuard guard(stream.device);
  Event made;
  made.state_ = std::make_shared<State>(stream.device);
  check_cuda(cudaEventRecord(made.state_->event, static_cast<cudaStream_t>(stream.handle)),
             "cannot record a GPU event");
  return made;
}

void Event::wait() const {
  if (state_ == nullptr) return;
  const DeviceGuard guard(state_->device);
  check_cuda(cudaEventSynchronize(state_->event), "the GPU failed");
}

bool Event::done() const {
  if (state_ == nullptr) return true;
  const DeviceGuard guard(state_->device);
  const cudaError_t status = cudaEventQuery(state_->event);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  check_cuda(status, "the GPU failed");
  return true;
}

void Event::hold(StreamView stream) const {
  if (state_ == nullptr || stream.device < 0) return;
  const DeviceGuard guard(stream.device);
  check_cuda(cudaStreamWaitEvent(static_cast<cudaStream_t>(stream.handle), state_->event, 0),
             "cannot wait for a GPU event");
}

}  // namespace vsr::gpu
