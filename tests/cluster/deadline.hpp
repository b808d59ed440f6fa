// Ends the program with a word on stderr when something takes too long, so that a wait for ever is
// a failed test and not a stuck one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace vsr::cluster::test {

class Deadline {
 public:
  explicit Deadline(int seconds)
      : thread_([this, seconds] {
          std::unique_lock lock(mutex_);
          if (met_.wait_for(lock, std::chrono::seconds(seconds), [this] { return over_; })) return;
          std::fprintf(stderr, "not done within %d s\n", seconds);
          std::_Exit(1);
        }) {}

  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  ~Deadline() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    met_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable met_;
  bool over_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace vsr::cluster::test
