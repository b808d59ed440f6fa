#include "vsr/gpu/device_buffer.hpp"

#include "cuda/check.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"

#include <utility>

namespace vsr::gpu {

DeviceBuffer::DeviceBuffer(std::size_t bytes, int device) : size_(bytes) {
  device_info(device);  // for its errors
  if (bytes == 0) return;
  const DeviceGuard guard(device);
  check_cuda(cudaMalloc(&data_, bytes), format("no {} bytes of memory on GPU {}", bytes, device));
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ != nullptr) cudaFree(data_);
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace vsr::gpu
