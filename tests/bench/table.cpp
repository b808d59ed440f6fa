#include "table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace vsr::bench {

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size(), 3);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string& cell = rows_[r][i];
      const std::string fill(widths[i] - cell.size(), ' ');
      text += i == 0 ? "| " + cell + fill : " | " + fill + cell;
    }
    text += " |\n";
    if (r > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += (i == 0 ? "| " : " | ") + std::string(widths[i], '-');
    }
    text += " |\n";
  }
  return text;
}

void Table::print() const {
  std::printf("%s\n", text().c_str());
  std::fflush(stdout);
}

void print_line(const std::string& text) {
  std::printf("%s\n\n", text.c_str());
  std::fflush(stdout);
}

}  // namespace vsr::bench
