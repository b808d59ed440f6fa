// A run's status as lines of text: the live block of a terminal, and single lines for logs.
#pragma once

#include "vsr/status/run_status.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vsr::status {

struct TerminalStyle {
  int width = 80;   // columns; no line is wider
  int height = 24;  // rows; there are fewer lines
  bool colour = false;
  bool utf8 = false;  // else ASCII alone
};

// What a live block shows: a bar of the whole run, rates and what limits, quality and disk, a line
// for each rank as far as there is room, those first that need looking at, and how many more there
// are. Names are cut where they do not fit, and nothing in them can steer the terminal.
std::vector<std::string> terminal_lines(const RunStatus& status, const TerminalStyle& style);

// "upscaled 1204 of 14400 frames (8.4%), 61 fps (mean 58); encoded ...; about 3 h 2 min left; rank
// 0: segment 12 ...". One line, in ASCII but for names.
std::string progress_line(const RunStatus& status);
// Of a run that is over, in a line: "57600 frames in 6 h 55 min, 2.3 fps upscaled; back-projection
// 38.2 dB, lowest 31.0 at frame 4711; warnings: 2".
std::string closing_line(const RunStatus& status);

// Columns that `text` takes on a terminal, which is UTF-8 without control characters or escapes.
int columns_of(std::string_view text);
// As much of its beginning as fits, with "..." (one character in UTF-8) for what does not.
std::string cut_to(std::string_view text, int columns, bool utf8);

}  // namespace vsr::status
