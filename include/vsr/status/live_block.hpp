// A block of lines at the end of a terminal's text that is drawn again and again, while other lines
// are printed above it.
//
// The cursor stays where the next line would begin, and is never hidden: whoever ends, however he
// ends, leaves a terminal that is as usable as before.
#pragma once

#include "vsr/base/terminal_writer.hpp"

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::status {

// Threads: any. A terminal that takes no output loses what would be drawn and printed, and nobody
// waits for it.
class LiveBlock {
 public:
  // Takes the descriptor of a terminal (open_terminal()), which has to outlive this.
  explicit LiveBlock(int descriptor) : descriptor_(descriptor), writer_(descriptor) {}

  int descriptor() const { return descriptor_; }

  struct Size {
    int width = 80;
    int height = 24;
  };

  // Of the terminal now; 80x24 where it does not tell.
  Size size() const;
  // In place of what was drawn before. No line is wider than the terminal.
  void draw(const std::vector<std::string>& lines);
  // Whole lines, above the block.
  void print(std::string_view text);
  // Leaves the block where it stands: the terminal is others' for now. What is drawn next is drawn
  // where the cursor is then.
  void let_go();
  // Removes the block; what is printed from now on is printed as ever, what is drawn is not.
  void close();

 private:
  std::string up() const;
  std::string block() const;

  const int descriptor_;
  std::mutex mutex_;
  // Guarded by mutex_.
  TerminalWriter writer_;
  std::vector<std::string> lines_;  // as they stand there
  bool closed_ = false;
};

}  // namespace vsr::status
