#include "vsr/base/figure_text.hpp"

#include "vsr/base/format.hpp"

#include <array>
#include <cmath>
#include <cstddef>

namespace vsr {

std::string duration_text(double seconds) {
  if (seconds < 9.5) return format("{:.2g} s", seconds);
  if (seconds < 90) return format("{:.0f} s", seconds);
  const auto tens = std::llround(seconds / 10);
  if (tens < 60) {
    return tens % 6 == 0 ? format("{} min", tens / 6)
                         : format("{} min {} s", tens / 6, tens % 6 * 10);
  }
  const auto minutes = std::llround(seconds / 60);
  if (minutes < 90) return format("{} min", minutes);
  if (minutes < 10 * 60) return format("{} h {} min", minutes / 60, minutes % 60);
  if (minutes < 4 * 24 * 60) return format("{:.0f} h", seconds / 3600);
  return format("{:.0f} days", seconds / 86400);
}

std::string size_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  if (bytes < 0) return "unknown";
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  const int decimals = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
  return format("{:.{}f} {}", bytes, decimals, kUnits[unit]);
}

std::string rate_text(double rate) {
  if (rate < 0) return "?";
  if (rate >= 9.95) return format("{:.0f}", rate);
  return rate >= 0.95 ? format("{:.1f}", rate) : format("{:.2g}", rate);
}

std::string counted(std::int64_t count, std::string_view what) {
  return format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace vsr
