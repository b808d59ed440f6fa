// A line on stderr that is written over, for whoever sits before it.
#pragma once

#include "vsr/base/figure_text.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <iostream>

namespace vsr::launcher {

class TerminalProgress {
 public:
  explicit TerminalProgress(std::int64_t total) : total_(total) {}

  ~TerminalProgress() {
    if (written_) std::cerr << "\r\033[K" << std::flush;
  }

  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

  void tell(std::int64_t done) {
    const Clock::time_point now = Clock::now();
    if (!terminal_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    written_ = true;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double rate = static_cast<double>(done) / seconds;
    std::cerr << format("\r{} of {} frames, {:.1f} a second, about {} left\033[K",
                        done,
                        total_,
                        rate,
                        duration_text(static_cast<double>(total_ - done) / rate))
              << std::flush;
  }

 private:
  using Clock = std::chrono::steady_clock;

  const std::int64_t total_;
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point last_ = begin_;
  bool written_ = false;
};

}  // namespace vsr::launcher
