// Signals as a level that everyone reads. The first SIGINT, or SIGUSR1, finishes the segments in
// hand, the second SIGINT stops; SIGTERM stops at once, since a rented pod gets a few seconds at
// most.
//
// Every file is safe against a kill at any instant, so stopping "at once" may simply end the
// process when a stage does not come back in time.
#pragma once

#include <atomic>
#include <thread>

namespace vsr::launcher {

class Signals {
 public:
  // Blocks the signals in this and all later threads; call before any other thread starts.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  std::atomic<int>& stop() { return stop_; }

  // The exit status that goes with the last signal: 130 or 143.
  int exit_status() const { return status_.load(); }

 private:
  void wait_for_signals();

  std::atomic<int> stop_ = 0;
  std::atomic<int> status_ = 130;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace vsr::launcher
