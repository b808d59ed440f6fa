// Times of a film as people write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vsr {

// "90", "1:30", "1:02:03.5" -> seconds. Nothing for anything else, nor for what is below 0.
std::optional<double> parse_time(std::string_view text);

// "1:02:03.500". REQUIRES: seconds >= 0.
std::string time_text(double seconds);

}  // namespace vsr
