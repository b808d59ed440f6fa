#include "vsr/gpu/copy.hpp"

#include <cstring>

namespace vsr::gpu {

void copy_plane_async(const PlaneCopy& copy, StreamView /*stream*/) {
  const auto* from = static_cast<const std::byte*>(copy.from);
  auto* to = static_cast<std::byte*>(copy.to);
  for (std::size_t row = 0; row < copy.rows; ++row) {
    std::memcpy(to, from, copy.row_bytes);
    from += copy.from_pitch_bytes;
    to += copy.to_pitch_bytes;
  }
}

}  // namespace vsr::gpu
