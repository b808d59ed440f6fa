#include "vsr/gpu/pinned_buffer.hpp"

#include "cuda/check.hpp"
#include "host_memory.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"

#include <utility>

namespace vsr::gpu {

PinnedBuffer::PinnedBuffer(std::size_t bytes, bool pinned) : size_(bytes) {
  if (bytes == 0) return;
  pinned_ = pinned && device_count() > 0;
  if (!pinned_) {
    data_ = allocate_host(bytes);
    return;
  }
  void* memory = nullptr;
  check_cuda(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable),
             format("no {} bytes of pinned host memory", bytes));
  data_ = static_cast<std::byte*>(memory);
}

PinnedBuffer::~PinnedBuffer() {
  if (data_ == nullptr) return;
  if (pinned_) {
    cudaFreeHost(data_);
  } else {
    free_host(data_);
  }
}

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      pinned_(std::exchange(other.pinned_, false)) {}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(pinned_, other.pinned_);
  return *this;
}

}  // namespace vsr::gpu
