#include "vsr/base/printable.hpp"

#include "vsr/base/format.hpp"

#include <cstddef>
#include <cstdint>

namespace vsr {

namespace {

// Bytes of the well-formed UTF-8 character at the front of `text`; 0 when there is none or when it
// is a control character.
std::size_t shown_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const std::size_t size = first < 0xC2   ? 0
                           : first < 0xE0 ? 2
                           : first < 0xF0 ? 3
                           : first < 0xF5 ? 4
                                          : 0;
  if (size == 0 || text.size() < size) return 0;
  std::uint32_t code = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
    code = code << 6U | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  const bool control = code < 0xA0;
  return overlong || surrogate || control || code > 0x10FFFF ? 0 : size;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = shown_character(text);
    if (size > 0) {
      shown += text.substr(0, size);
    } else if (text.front() == '\n') {
      shown += "\\n";
    } else if (text.front() == '\r') {
      shown += "\\r";
    } else if (text.front() == '\t') {
      shown += "\\t";
    } else {
      shown += format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(text.front())));
    }
    text.remove_prefix(size > 0 ? size : 1);
  }
  return shown;
}

std::string json_escaped(std::string_view text) {
  std::string result;
  result.reserve(text.size() + 8);
  for (const char c : text) {
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          result += format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          result += c;
        }
    }
  }
  return result;
}

}  // namespace vsr
