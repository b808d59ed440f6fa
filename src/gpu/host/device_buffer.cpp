#include "vsr/gpu/device_buffer.hpp"

#include "vsr/gpu/device.hpp"

#include <utility>

namespace vsr::gpu {

DeviceBuffer::DeviceBuffer(std::size_t /*bytes*/, int device) {
  device_info(device);  // throws: there is none
}

DeviceBuffer::~DeviceBuffer() = default;

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace vsr::gpu
