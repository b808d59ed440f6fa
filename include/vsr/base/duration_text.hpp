// Times as people read them.
#pragma once

#include "vsr/base/format.hpp"

#include <cmath>
#include <string>

namespace vsr {

// "40 s", "12 min", "5 h 10 min", "21 h", "9 days".
inline std::string duration_text(double seconds) {
  if (seconds < 90) return format("{:.0f} s", seconds);
  const auto minutes = static_cast<long long>(std::llround(seconds / 60));
  if (minutes < 90) return format("{} min", minutes);
  if (minutes < 10 * 60) return format("{} h {} min", minutes / 60, minutes % 60);
  if (minutes < 4 * 24 * 60) return format("{:.0f} h", seconds / 3600);
  return format("{:.0f} days", seconds / 86400);
}

}  // namespace vsr
