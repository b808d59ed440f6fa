// Tables in Markdown, as docs/performance.md holds them, with columns that line up on a terminal.
#pragma once

#include <string>
#include <vector>

namespace vsr::bench {

class Table {
 public:
  explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}

  // As many cells as there are heads.
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string text() const;
  // To stdout, with an empty line behind it.
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the heads first
};

// A paragraph of its own.
void print_line(const std::string& text);

}  // namespace vsr::bench
