// A plane copied by the host itself. Private to the room.
#pragma once

#include "vsr/gpu/copy.hpp"

#include <cstring>

namespace vsr::gpu {

inline void copy_plane_on_host(const PlaneCopy& copy) {
  const auto* from = static_cast<const std::byte*>(copy.from);
  auto* to = static_cast<std::byte*>(copy.to);
  for (std::size_t row = 0; row < copy.rows; ++row) {
    std::memcpy(to, from, copy.row_bytes);
    from += copy.from_pitch_bytes;
    to += copy.to_pitch_bytes;
  }
}

}  // namespace vsr::gpu
