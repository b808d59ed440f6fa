#include "worker.hpp"

#include "vsr/base/disk_full.hpp"

#include <chrono>
#include <exception>

namespace vsr::cluster {

namespace {

SegmentOutcome run_guarded(const Runner& runner, int segment, int attempt) {
  SegmentOutcome outcome;
  const auto start = std::chrono::steady_clock::now();
  try {
    outcome = runner(segment, attempt);
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
  outcome.segment = segment;
  outcome.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

}  // namespace

Worker::Worker(const Runner& runner)
    : thread_([this, runner] {
        while (const auto task = tasks_.pop()) {
          outcomes_.push(run_guarded(runner, task->segment, task->attempt));
        }
      }) {}

Worker::~Worker() {
  tasks_.close();
  outcomes_.abort();
  thread_.join();
}

void Worker::start(int segment, int attempt) {
  busy_ = true;
  tasks_.push({segment, attempt});
}

std::optional<SegmentOutcome> Worker::poll() {
  if (outcomes_.size() == 0) return std::nullopt;
  busy_ = false;
  return outcomes_.pop();
}

}  // namespace vsr::cluster
