// A stage that several segments come to, one after the other. Private.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>

namespace vsr::pipeline {

// Numbers 0, 1, 2, ... have the stage in this order; each leaves once, be it without having come.
class Turns {
 public:
  // Waits until all numbers before `number` have left; false if `give_up` says so before, which is
  // asked every now and then.
  template <typename GiveUp>
  bool wait_for(std::int64_t number, const GiveUp& give_up) {
    std::unique_lock lock(mutex_);
    while (next_ < number) {
      if (give_up()) return false;
      moved_.wait_for(lock, kAskEvery);
    }
    return true;
  }

  void leave(std::int64_t number) {
    {
      const std::lock_guard lock(mutex_);
      left_.insert(number);
      while (left_.erase(next_) > 0) ++next_;
    }
    moved_.notify_all();
  }

 private:
  static constexpr auto kAskEvery = std::chrono::milliseconds(20);

  std::mutex mutex_;
  std::condition_variable moved_;
  std::int64_t next_ = 0;  // guarded by mutex_, as are those that left before their turn
  std::set<std::int64_t> left_;
};

}  // namespace vsr::pipeline
