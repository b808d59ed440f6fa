// How wide text is on a terminal.
#include "vsr/status/terminal.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace vsr::status {

namespace {

using Range = std::pair<char32_t, char32_t>;

// Characters of two columns (East Asian wide, emoji) and of none (combining); the blocks that names
// of films are likely to hold.
constexpr std::array<Range, 15> kWide = {{{0x1100, 0x115F},
                                          {0x231A, 0x231B},
                                          {0x2E80, 0x303E},
                                          {0x3041, 0x33FF},
                                          {0x3400, 0x4DBF},
                                          {0x4E00, 0x9FFF},
                                          {0xA000, 0xA4CF},
                                          {0xA960, 0xA97F},
                                          {0xAC00, 0xD7A3},
                                          {0xF900, 0xFAFF},
                                          {0xFE30, 0xFE6F},
                                          {0xFF00, 0xFF60},
                                          {0xFFE0, 0xFFE6},
                                          {0x1F300, 0x1FAFF},
                                          {0x20000, 0x3FFFD}}};
constexpr std::array<Range, 11> kNone = {{{0x0300, 0x036F},
                                          {0x0483, 0x0489},
                                          {0x0591, 0x05BD},
                                          {0x0610, 0x061A},
                                          {0x064B, 0x065F},
                                          {0x1AB0, 0x1AFF},
                                          {0x1DC0, 0x1DFF},
                                          {0x200B, 0x200F},
                                          {0x202A, 0x202E},
                                          {0x20D0, 0x20FF},
                                          {0xFE00, 0xFE0F}}};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const Range& range) {
    return code >= range.first && code <= range.second;
  });
}

struct Character {
  std::size_t bytes = 1;
  int columns = 1;
};

// The one at the front of `text`, which is not empty; a byte that begins none counts as one.
Character front_of(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
  if (size == 1 || size > text.size()) return {};
  char32_t code = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    code = code << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  return {size, is_in(kNone, code) ? 0 : is_in(kWide, code) ? 2 : 1};
}

}  // namespace

int columns_of(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const Character character = front_of(text);
    columns += character.columns;
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string cut_to(std::string_view text, int columns, bool utf8) {
  if (columns_of(text) <= columns) return std::string(text);
  const std::string_view dots = utf8 ? "\u2026" : "...";
  const int room = columns - columns_of(dots);
  if (room < 0) return std::string(static_cast<std::size_t>(std::max(0, columns)), '.');
  std::string kept;
  int used = 0;
  while (!text.empty()) {
    const Character character = front_of(text);
    if (used + character.columns > room) break;
    used += character.columns;
    kept += text.substr(0, character.bytes);
    text.remove_prefix(character.bytes);
  }
  return kept.append(dots);
}

}  // namespace vsr::status
