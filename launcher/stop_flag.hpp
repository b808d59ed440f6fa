// SIGINT and SIGTERM for commands that keep nothing to go on from: the first one asks to end, the
// second ends the process. (A run of a job has signals.hpp.)
#pragma once

namespace vsr::launcher {

class StopFlag {
 public:
  // One at a time.
  StopFlag();
  ~StopFlag();
  StopFlag(const StopFlag&) = delete;
  StopFlag& operator=(const StopFlag&) = delete;

  bool is_set() const;
  // 130 or 143, by the signal.
  int exit_status() const;
};

}  // namespace vsr::launcher
