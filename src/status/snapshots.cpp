#include "snapshots.hpp"

#include "vsr/base/log.hpp"

#include <exception>
#include <utility>

namespace vsr::status {

bool Snapshots::refresh() {
  const Clock::time_point now = Clock::now();
  if (taken_ != Clock::time_point{} && now < next()) return !failed_;
  taken_ = now;
  const bool failed_before = std::exchange(failed_, true);
  try {
    status_ = take_();
    failed_ = false;
  } catch (const std::exception& error) {
    if (!failed_before) log::warning("status", "the run's status: {}", error.what());
  } catch (...) {  // nothing that the run does may end this thread
    if (!failed_before) log::warning("status", "the run's status cannot be had");
  }
  whole_ = metrics_ = nullptr;
  event_is_made_ = false;
  return !failed_;
}

Bytes Snapshots::whole() {
  if (!refresh()) return nullptr;
  if (!whole_) whole_ = held_.hold(to_json(status_, true));
  return whole_;
}

Bytes Snapshots::metrics() {
  if (!refresh()) return nullptr;
  if (!metrics_) metrics_ = held_.hold(counters_.text(status_));
  return metrics_;
}

Bytes Snapshots::event() {
  if (!refresh()) return nullptr;
  if (!event_is_made_) {
    std::string text = "event: run\ndata: " + to_json(status_, false) + "\n\n";
    if (!event_ || *event_ != text) event_ = held_.hold(std::move(text));
    event_is_made_ = true;
  }
  return event_;
}

}  // namespace vsr::status
