// Where a run shows its live block: a terminal, be it mpirun's.
#pragma once

#include "arguments.hpp"

#include <memory>
#include <optional>

namespace vsr::launcher {

// An open terminal.
class Terminal {
 public:
  explicit Terminal(int descriptor) : descriptor_(descriptor) {}

  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

// What stderr of this process is, or under mpirun on this host that of mpirun, which reads its
// ranks' by pipes. Null where it is none, or a dumb one.
std::unique_ptr<Terminal> find_terminal();

// The terminal that the arguments let a run have; null: lines.
std::unique_ptr<Terminal> terminal_for(const Arguments& arguments);

// Whether TERM says that a terminal can be drawn on.
bool terminal_may_draw();
// Whether text may have characters beyond ASCII, by the locale.
bool terminal_is_utf8();

}  // namespace vsr::launcher
