#include "vsr/base/time_text.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <cmath>
#include <cstddef>

namespace vsr {

std::optional<double> parse_time(std::string_view text) {
  double total = 0;
  std::size_t begin = 0;
  for (int part = 0; part < 3; ++part) {
    const std::size_t end = text.find(':', begin);
    const auto value = parse_number<double>(text.substr(begin, end - begin));
    if (!value || !std::isfinite(*value) || *value < 0) return std::nullopt;
    total = total * 60 + *value;
    if (end == std::string_view::npos) return total;
    begin = end + 1;
  }
  return std::nullopt;
}

std::string time_text(double seconds) {
  const long long ms = std::llround(seconds * 1000);
  return format(
      "{}:{:02}:{:02}.{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

}  // namespace vsr
