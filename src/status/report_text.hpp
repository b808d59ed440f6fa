// Text for pages: made safe to stand in markup, in scripts, in a shell. Private.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::status {

// On one line, whatever bytes it holds.
std::string one_line(const std::string& text);
std::string html_escaped(const std::string& text);
// The same with its line ends kept.
std::string html_escaped_lines(const std::string& text);
// A word as a POSIX shell takes it.
std::string shell_quoted(const std::string& word);
std::string base64(std::string_view bytes);
// Width and height of a JPEG file's picture; nothing of what is none.
std::optional<std::pair<int, int>> jpeg_size(std::string_view bytes);

// "2026-01-31T12:34:56Z" -> seconds since 1970.
std::optional<double> seconds_of(const std::string& utc);
// And back.
std::string utc_text(double seconds);

}  // namespace vsr::status
