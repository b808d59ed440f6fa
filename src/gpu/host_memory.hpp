// Plain memory for PinnedBuffer, aligned for vector instructions and direct I/O.
#pragma once

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <cstddef>
#include <new>

namespace vsr::gpu {

inline constexpr std::align_val_t kHostAlignment{4096};

inline std::byte* allocate_host(std::size_t bytes) {
  void* memory = ::operator new(bytes, kHostAlignment, std::nothrow);
  if (memory == nullptr) throw OutOfMemory(format("no {} bytes of host memory", bytes));
  return static_cast<std::byte*>(memory);
}

inline void free_host(std::byte* memory) noexcept { ::operator delete(memory, kHostAlignment); }

}  // namespace vsr::gpu
