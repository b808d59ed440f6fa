// The encoder of vsr/kernels/prores.hpp once more, plain and one value after another: what the
// device's bytes must be.
#pragma once

#include "vsr/kernels/prores.hpp"

#include <cstdint>
#include <vector>

namespace vsr::kernels::test {

// A picture of 10-bit 4:2:2 in host memory, rows unpadded.
struct HostPicture {
  int width = 0;
  int height = 0;
  std::vector<std::uint16_t> planes[3];

  HostPicture() = default;

  HostPicture(int wide, int high) : width(wide), height(high) {
    for (int p = 0; p < 3; ++p) {
      planes[p].resize(static_cast<std::size_t>(plane_width(p)) * static_cast<std::size_t>(high));
    }
  }

  int plane_width(int plane) const { return plane == 0 ? width : width / 2; }
};

std::vector<std::uint8_t> prores_reference(const ProresSettings& settings,
                                           const HostPicture& picture);

}  // namespace vsr::kernels::test
