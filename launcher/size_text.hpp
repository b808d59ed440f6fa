// Bytes as people read them.
#pragma once

#include "vsr/base/format.hpp"

#include <cmath>
#include <string>

namespace vsr::launcher {

// "340 MB", "2.1 GB".
inline std::string size_text(double bytes) {
  return bytes < 1e9 ? format("{:.0f} MB", std::ceil(bytes / 1e6))
                     : format("{:.1f} GB", bytes / 1e9);
}

}  // namespace vsr::launcher
