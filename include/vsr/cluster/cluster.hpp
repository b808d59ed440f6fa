// Runs a list of segments over the ranks of a start. How a segment is upscaled is none of this
// room's business: it is handed a runner.
//
// On every rank one thread (the caller's) speaks with the others and two work, so that a segment is
// begun while the one before is being finished; rank 0 hands out the segments and works too.
#pragma once

#include "vsr/base/error.hpp"
#include "vsr/cluster/communicator.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vsr::cluster {

// How soon to stop: set by signals, read by everyone. Only ever grows.
enum class Stop : int { kNo = 0, kAfterSegment = 1, kNow = 2 };

// What came of one segment; travels between ranks as a value.
struct SegmentOutcome {
  int segment = 0;
  bool ok = false;
  ErrorCode code = ErrorCode::kInternal;  // if not ok
  std::string message;                    // likewise
  // If not ok: another rank or another try may do better. Faults of job, film and model
  // (kUsage, kInput, kModel) are never tried again, whatever stands here.
  bool retryable = true;
  double wall_s = 0;  // since it began, or since the last one was done if that was later
};

// Upscales and commits one segment. Exceptions become outcomes (DiskFull one that is not
// retryable: all ranks write to the same run directory). Called on the worker's threads, one
// segment at a time; the next one comes as soon as `next_may_begin` was called, which it need not
// be.
using Runner = std::function<SegmentOutcome(
    int segment, int attempt, const std::function<void()>& next_may_begin)>;

struct Progress {
  int done = 0;
  int total = 0;
  int ranks = 0;
};

struct Tasks {
  std::vector<std::int64_t> weights;  // frames of each segment
  std::vector<bool> done;             // committed before this start
};

// Every rank's `bytes`, in rank order, on rank 0; nothing elsewhere. Only before the first segment.
// Throws Error(kCluster) naming the ranks that have not answered within `timeout_s`.
std::vector<std::string> gather(Communicator& communicator, std::string bytes, double timeout_s);

// On rank 0: hands out and takes part until all is done, a segment has failed for good, or `stop`
// asks to end. Returns the outcome that ended it early (ok = false), or ok = true. May be called
// again while the others serve: they take part in every list.
SegmentOutcome coordinate(Communicator& communicator,
                          const Tasks& tasks,
                          const Runner& runner,
                          const std::atomic<int>& stop,
                          const std::function<void(const Progress&)>& progress);

// On the other ranks: works until rank 0 dismisses them.
void serve(Communicator& communicator, const Runner& runner, std::atomic<int>& stop);

// On rank 0, last: lets the others go.
void dismiss(Communicator& communicator);

}  // namespace vsr::cluster
