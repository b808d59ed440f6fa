// Device memory that its owner frees. Feature maps live in torch's allocator; this is for what
// works without torch.
#pragma once

#include <cstddef>

namespace vsr::gpu {

class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  // Throws OutOfMemory, or Error(kGpu) where there is no such device (always without CUDA).
  DeviceBuffer(std::size_t bytes, int device);
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  void* data() { return data_; }

  const void* data() const { return data_; }

  std::size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace vsr::gpu
