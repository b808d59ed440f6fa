// The run's status as all clients share it: taken once for all of them, each text made once and
// only if somebody wants it. Private; one thread.
#pragma once

#include "held_bytes.hpp"
#include "limits.hpp"
#include "vsr/status/metrics.hpp"
#include "vsr/status/run_status.hpp"

#include <chrono>
#include <functional>
#include <utility>

namespace vsr::status {

class Snapshots {
 public:
  using Clock = std::chrono::steady_clock;

  Snapshots(std::function<RunStatus()> take, Limits::Time interval, HeldBytes held)
      : take_(std::move(take)), interval_(interval), held_(std::move(held)) {}

  // Of a status that is at most `interval` old; nothing while it is not to be had, which is logged.
  Bytes whole();
  Bytes metrics();
  // As an event of a stream. The same object as long as it says the same.
  Bytes event();

  // When the next one may be taken.
  Clock::time_point next() const { return taken_ + interval_; }

  // The next one is taken anew, whenever it is asked for.
  void forget() { taken_ = {}; }

 private:
  bool refresh();

  std::function<RunStatus()> take_;
  Limits::Time interval_;
  HeldBytes held_;
  Clock::time_point taken_{};
  bool failed_ = false;
  RunStatus status_;
  Metrics counters_;
  // Made of status_; nothing: not yet.
  Bytes whole_;
  Bytes metrics_;
  bool event_is_made_ = false;
  Bytes event_;
};

}  // namespace vsr::status
