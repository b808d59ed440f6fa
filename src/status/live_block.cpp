#include "vsr/status/live_block.hpp"

#include "vsr/base/format.hpp"
#include "vsr/status/terminal.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <chrono>

namespace vsr::status {

namespace {

constexpr std::chrono::milliseconds kPatience{200};

// Without the codes of colours.
std::string plain(std::string_view line) {
  std::string text;
  while (!line.empty()) {
    const std::size_t escape = line.find('\x1b');
    text += line.substr(0, escape);
    if (escape == std::string_view::npos) break;
    const std::size_t end = line.find('m', escape);
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  return text;
}

}  // namespace

LiveBlock::Size LiveBlock::size() const {
  winsize size{};
  if (::ioctl(descriptor_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row == 0 ? 24 : size.ws_row};
}

// To the block's first row. A terminal that was made narrower has wrapped lines.
std::string LiveBlock::up() const {
  const int width = size().width;
  int rows = 0;
  for (const std::string& line : lines_) {
    rows += std::max(1, (columns_of(plain(line)) + width - 1) / width);
  }
  return rows > 0 ? format("\r\x1b[{}A", rows) : "\r";
}

// Each line is cleared behind its end and not before it is written, so nothing flickers.
std::string LiveBlock::block() const {
  std::string bytes;
  for (const std::string& line : lines_) bytes += line + "\x1b[K\n";
  return bytes + "\x1b[J";
}

// In one piece, so that no other process writes amid an escape.
void LiveBlock::draw(const std::vector<std::string>& lines) {
  const std::lock_guard lock(mutex_);
  if (closed_ || !writer_.finish({})) return;  // the next one is soon
  std::string bytes = up();
  lines_ = lines;
  writer_.write(bytes += block(), {});
}

void LiveBlock::print(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (lines_.empty()) {
    writer_.write(text, kPatience);
    return;
  }
  std::string bytes = up() + "\x1b[J";
  bytes += text;
  writer_.write(bytes += block(), kPatience);
}

void LiveBlock::let_go() {
  const std::lock_guard lock(mutex_);
  lines_.clear();
}

void LiveBlock::close() {
  const std::lock_guard lock(mutex_);
  if (!lines_.empty()) writer_.write(up() + "\x1b[J", kPatience);
  lines_.clear();
  closed_ = true;
}

}  // namespace vsr::status
