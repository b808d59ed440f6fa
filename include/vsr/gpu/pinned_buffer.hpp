// Host memory that the GPU copies from and to asynchronously. Without CUDA (or with
// pinned = false) plain aligned memory.
#pragma once

#include <cstddef>

namespace vsr::gpu {

class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  // Throws OutOfMemory.
  PinnedBuffer(std::size_t bytes, bool pinned);
  ~PinnedBuffer();
  PinnedBuffer(PinnedBuffer&& other) noexcept;
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept;
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  std::byte* data() { return data_; }

  const std::byte* data() const { return data_; }

  std::size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  // How it was taken, and is given back.
  enum class Kind { kPlain, kDriver, kMapped };
  Kind kind_ = Kind::kPlain;
};

}  // namespace vsr::gpu
