// Where a run shows its live block: a terminal, be it mpirun's.
#pragma once

#include "arguments.hpp"

#include <sys/types.h>

#include <memory>
#include <optional>

namespace vsr::launcher {

// An open terminal whose writes do not wait.
class Terminal {
 public:
  // `owner`: the process that was started on it.
  Terminal(int descriptor, pid_t owner) : descriptor_(descriptor), owner_(owner) {}

  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  int descriptor() const { return descriptor_; }

  // Whether it is with the owner: what a shell has in the background, or has stopped, leaves the
  // terminal to others. True where no shell tells.
  bool in_foreground() const;

 private:
  const int descriptor_;
  const pid_t owner_;
};

// What stderr of this process is, or under mpirun on this host that of mpirun, which reads its
// ranks' by pipes. Null where it is none, a dumb one, or with somebody else.
std::unique_ptr<Terminal> find_terminal();

// The terminal that the arguments let a run have; null: lines.
std::unique_ptr<Terminal> terminal_for(const Arguments& arguments);

// Whether TERM says that a terminal can be drawn on.
bool terminal_may_draw();
// Whether text may have characters beyond ASCII, by the locale.
bool terminal_is_utf8();

}  // namespace vsr::launcher
