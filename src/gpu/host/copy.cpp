#include "vsr/gpu/copy.hpp"

#include "host_copy.hpp"

#include <cstring>

namespace vsr::gpu {

void copy_plane_async(const PlaneCopy& copy, StreamView /*stream*/) { copy_plane_on_host(copy); }

void copy_bytes_async(const void* from, void* to, std::size_t bytes, StreamView /*stream*/) {
  std::memcpy(to, from, bytes);
}

void clear_async(void* memory, std::size_t bytes, StreamView /*stream*/) {
  std::memset(memory, 0, bytes);
}

}  // namespace vsr::gpu
