#include "worker.hpp"

#include "vsr/base/disk_full.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace vsr::cluster {

Worker::Worker(const Runner& runner, const Capacity& capacity)
    : to_encode_(static_cast<std::size_t>(std::max(1, capacity.encoders))),
      events_(static_cast<std::size_t>(2 * kUpscaledAtOnce + std::max(0, capacity.encoders))) {
  for (int i = 0; capacity.upscales && i < kUpscaledAtOnce; ++i) {
    threads_.emplace_back([this, runner] { work(runner, to_upscale_); });
  }
  for (int i = 0; i < capacity.encoders; ++i) {
    threads_.emplace_back([this, runner] { work(runner, to_encode_); });
  }
}

Worker::~Worker() {
  to_upscale_.close();
  to_encode_.close();
  events_.abort();
  for (std::thread& thread : threads_) thread.join();
}

void Worker::work(const Runner& runner, BoundedQueue<Task>& tasks) {
  while (const auto task = tasks.pop()) {
    SegmentOutcome outcome = run(runner, *task);
    events_.push({std::move(outcome)});
  }
}

SegmentOutcome Worker::run(const Runner& runner, const Task& task) {
  const Clock::time_point begin = Clock::now();
  bool told = task.work != Work::kUpscale;
  const auto next_may_begin = [&] {
    if (!std::exchange(told, true)) events_.push({});
  };
  SegmentOutcome outcome;
  try {
    outcome = runner(task, next_may_begin);
  } catch (const DiskFull& error) {
    outcome.code = error.code();
    outcome.message = error.what();
    outcome.retryable = false;  // all ranks write to the same run directory
    outcome.disk_full = true;
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
  outcome.work = task.work;
  outcome.segment = task.segment;
  const Clock::time_point now = Clock::now();
  Clock::time_point since = begin;
  if (task.work == Work::kUpscale) {
    const std::lock_guard lock(mutex_);
    since = std::max(begin, std::exchange(upscaled_, now));
  }
  outcome.wall_s = std::chrono::duration<double>(now - since).count();
  return outcome;
}

void Worker::start(const Task& task) {
  if (task.work == Work::kUpscale) {
    ++upscaling_;
    to_upscale_.push(task);
  } else {
    ++encoding_;
    to_encode_.push(task);
  }
}

std::optional<Worker::Event> Worker::poll() {
  if (upscaling_ < kUpscaledAtOnce && std::exchange(held_back_, false)) return Event{};
  if (events_.size() == 0) return std::nullopt;
  auto event = events_.pop();
  if (event->outcome) {
    --(event->outcome->work == Work::kUpscale ? upscaling_ : encoding_);
  } else if (upscaling_ == kUpscaledAtOnce) {
    held_back_ = true;
    return poll();
  }
  return event;
}

Note note_of(const Worker::Event& event) {
  if (!event.outcome) return {.kind = Kind::kReady};
  return {.kind = Kind::kOutcome, .outcome = *event.outcome};
}

}  // namespace vsr::cluster
