// Bytes to be carried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace vsr::cluster::test {

// Bytes that differ everywhere, so that a piece out of place is seen.
inline std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (char& c : bytes) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace vsr::cluster::test
