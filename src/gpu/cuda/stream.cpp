#include "vsr/gpu/stream.hpp"

#include "cuda/check.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"

#include <utility>

namespace vsr::gpu {

Stream::Stream(int device, bool urgent) {
  device_info(device);  // for its errors
  const DeviceGuard guard(device);
  int least = 0;
  int greatest = 0;
  check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cannot make a GPU stream");
  cudaStream_t stream = nullptr;
  check_cuda(
      cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, urgent ? greatest : least),
      "cannot make a GPU stream");
  view_ = {.handle = stream, .device = device};
}

Stream::~Stream() {
  if (view_.handle != nullptr) cudaStreamDestroy(static_cast<cudaStream_t>(view_.handle));
}

Stream::Stream(Stream&& other) noexcept : view_(std::exchange(other.view_, {})) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  std::swap(view_, other.view_);
  return *this;
}

void Stream::wait() const { Event::record(view_).wait(); }

}  // namespace vsr::gpu
