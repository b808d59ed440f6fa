// Figures as people read them: on the terminal, in the log, in reports, before a run and after it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vsr {

// "0.4 s", "40 s", "4 min 10 s", "42 min", "5 h 10 min", "21 h", "9 days". REQUIRES: seconds >= 0.
std::string duration_text(double seconds);

// Three figures of it: "512 bytes", "8.13 MB", "32.0 GB", "140 GB"; "unknown" for less than
// nothing.
std::string size_text(double bytes);

// A number a second, two figures or whole: "0.02", "2.1", "61"; "?" for less than nothing.
std::string rate_text(double rate);

// "1 frame", "20 frames".
std::string counted(std::int64_t count, std::string_view what);

}  // namespace vsr
