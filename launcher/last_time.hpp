// When something was done last that is to be done every so often.
#pragma once

#include <chrono>
#include <optional>

namespace vsr::launcher {

// Threads: one.
class LastTime {
 public:
  using Clock = std::chrono::steady_clock;

  // Whether it is to be done now, which then counts as done: the first time, and `every` so often.
  bool due(Clock::duration every) {
    const auto now = Clock::now();
    if (time_ && now - *time_ < every) return false;
    time_ = now;
    return true;
  }

  bool ever() const { return time_.has_value(); }

  void forget() { time_.reset(); }

 private:
  std::optional<Clock::time_point> time_;
};

}  // namespace vsr::launcher
