// Output to a terminal that may have stopped taking any: after Ctrl-S, or at the end of an ssh that
// is dead. Whoever has to go on working must not wait for it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace vsr {

// The terminal of this name ("/proc/self/fd/2"), opened such that no write waits; -1 where it
// cannot be. Whether writes wait belongs to the open file, which other processes may share: hence
// it is opened once more. The caller closes it.
int open_terminal(const std::string& path);

// Threads: one at a time.
class TerminalWriter {
 public:
  // Takes a descriptor whose writes do not wait; it has to outlive this.
  explicit TerminalWriter(int descriptor) : descriptor_(descriptor) {}

  // False: it is left out, since what was written before is not taken yet. What is not left out is
  // not cut either, so that no escape remains half: the rest goes before whatever comes next.
  // Waits so long at most, and not at all once a wait was in vain.
  bool write(std::string_view bytes, std::chrono::milliseconds patience);
  // Whether all is taken that was written.
  bool finish(std::chrono::milliseconds patience);

 private:
  const int descriptor_;
  std::string rest_;
  bool stuck_ = false;  // the last wait was in vain
};

// To stderr, whole unless it is a terminal that takes no more.
void write_to_stderr(std::string_view text) noexcept;

}  // namespace vsr
