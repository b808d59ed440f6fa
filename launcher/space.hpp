// Room on the disk of a run: nothing is begun that it may not hold. A run that finds no room waits
// and goes on by itself when there is some.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace vsr::launcher {

// Free space by statvfs, less what was begun and may not be written yet. A quota does not show
// there: once something has failed for want of room, a probe has to be written before anything is
// begun again.
// Threads: one.
class Space {
 public:
  // `keep_free`: bytes that are left to others.
  Space(std::filesystem::path folder, double keep_free);

  // Whether there is room for `bytes` more; if so they count as begun under this name. Says when
  // the run begins to wait, every few minutes, and when it goes on.
  bool begin(const std::string& name, double bytes);
  // It is written, or given up. `full`: for want of room.
  void over(const std::string& name, bool full);
  // Waits until there is room; false when `stop` came first. Calls `waits` while there is none.
  bool wait_for(const std::string& name,
                double bytes,
                const std::atomic<int>& stop,
                const std::function<void()>& waits);

 private:
  using Clock = std::chrono::steady_clock;

  bool probe() const;
  void tell(const std::string& name, double bytes, double free);

  const std::filesystem::path folder_;
  const double keep_free_;
  std::map<std::string, double> begun_;  // bytes
  double factor_ = 1;                    // by which estimates have turned out too small
  bool full_ = false;                    // something failed, and nothing was begun since
  Clock::time_point next_probe_{};
  bool waiting_ = false;
  Clock::time_point told_{};
};

}  // namespace vsr::launcher
