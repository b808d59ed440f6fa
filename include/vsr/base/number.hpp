// Numbers in text.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace vsr {

// All of `text` as a decimal number; nothing when it is none, has something before or behind it (a
// blank, a plus), or is too large for a Number. A double may come out infinite or not a number when
// `text` says so.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace vsr
