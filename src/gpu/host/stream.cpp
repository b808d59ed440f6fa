#include "vsr/gpu/stream.hpp"

#include "vsr/gpu/device.hpp"

#include <utility>

namespace vsr::gpu {

Stream::Stream(int device, bool /*urgent*/) { device_info(device); }  // throws: there is none

Stream::~Stream() = default;

Stream::Stream(Stream&& other) noexcept : view_(std::exchange(other.view_, {})) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  std::swap(view_, other.view_);
  return *this;
}

void Stream::wait() const {}

}  // namespace vsr::gpu
