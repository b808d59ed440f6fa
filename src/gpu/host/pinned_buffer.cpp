#include "vsr/gpu/pinned_buffer.hpp"

#include "host_memory.hpp"

#include <utility>

namespace vsr::gpu {

PinnedBuffer::PinnedBuffer(std::size_t bytes, bool /*pinned*/) : size_(bytes) {
  if (bytes > 0) data_ = allocate_host(bytes);
}

PinnedBuffer::~PinnedBuffer() { free_host(data_); }

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace vsr::gpu
