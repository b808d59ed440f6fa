#include "worker.hpp"

#include "vsr/base/disk_full.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace vsr::cluster {

Worker::Worker(const Runner& runner) {
  for (std::thread& thread : threads_) {
    thread = std::thread([this, runner] { work(runner); });
  }
}

Worker::~Worker() {
  tasks_.close();
  events_.abort();
  for (std::thread& thread : threads_) thread.join();
}

void Worker::work(const Runner& runner) {
  while (const auto task = tasks_.pop()) {
    SegmentOutcome outcome = run(runner, *task);
    events_.push({std::move(outcome)});
  }
}

SegmentOutcome Worker::run(const Runner& runner, const Task& task) {
  const Clock::time_point begin = Clock::now();
  bool told = false;
  const auto next_may_begin = [&] {
    if (!std::exchange(told, true)) events_.push({});
  };
  SegmentOutcome outcome;
  try {
    outcome = runner(task.segment, task.attempt, next_may_begin);
  } catch (const DiskFull& error) {
    outcome.code = error.code();
    outcome.message = error.what();
    outcome.retryable = false;
  } catch (const Error& error) {
    outcome.code = error.code();
    outcome.message = error.what();
  } catch (const std::exception& error) {
    outcome.code = ErrorCode::kInternal;
    outcome.message = error.what();
  } catch (...) {
    outcome.code = ErrorCode::kInternal;
    outcome.message = "an exception of unknown type";
  }
  next_may_begin();
  outcome.segment = task.segment;
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  outcome.wall_s =
      std::chrono::duration<double>(now - std::max(begin, std::exchange(done_, now))).count();
  return outcome;
}

void Worker::start(int segment, int attempt) {
  ++in_hand_;
  tasks_.push({segment, attempt});
}

std::optional<Worker::Event> Worker::poll() {
  if (in_hand_ < kAtOnce && std::exchange(held_back_, false)) return Event{};
  if (events_.size() == 0) return std::nullopt;
  auto event = events_.pop();
  if (event->outcome) {
    --in_hand_;
  } else if (in_hand_ == kAtOnce) {
    held_back_ = true;
    return poll();
  }
  return event;
}

}  // namespace vsr::cluster
