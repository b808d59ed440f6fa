// Copies of pictures between host and device, row by row, since both sides may pad their rows.
#pragma once

#include "vsr/gpu/stream.hpp"

#include <cstddef>

namespace vsr::gpu {

// One plane. Either side may be host or device memory; pitches are at least row_bytes.
struct PlaneCopy {
  const void* from = nullptr;
  std::ptrdiff_t from_pitch_bytes = 0;
  void* to = nullptr;
  std::ptrdiff_t to_pitch_bytes = 0;
  std::size_t row_bytes = 0;
  std::size_t rows = 0;
};

// Queues the copy in `stream` and returns; host memory must be pinned for it not to wait, and must
// stay valid until the stream has passed this point. Without CUDA it copies at once.
// Throws Error(kGpu).
void copy_plane_async(const PlaneCopy& copy, StreamView stream);

// The same for bytes in one piece; and zeros, in device memory.
void copy_bytes_async(const void* from, void* to, std::size_t bytes, StreamView stream);
void clear_async(void* memory, std::size_t bytes, StreamView stream);

}  // namespace vsr::gpu
