// The form of a job file: sections, keys and values as text, whatever the keys mean. Private to the
// room; docs/job-file.md gives the grammar.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vsr {

struct IniEntry {
  std::string name;  // "section.key"
  std::string value;
  int line = 0;  // from 1
};

// "job.ini:12", as it stands before a fault.
std::string ini_place(const std::string& file, int line);

// The entries of `text` in their order, no name twice. Throws Error(kUsage) naming `file` and line.
std::vector<IniEntry> parse_ini(std::string_view text, const std::string& file);

// `value` as it has to stand behind "key = " to be read as itself: in quotes where needed. Any
// bytes but NUL.
std::string ini_value(std::string_view value);

}  // namespace vsr
