// Runs a list of segments over the ranks of a start: each is upscaled, and then, if the film is
// made in chunks, encoded. How either is done is none of this room's business: it is handed a
// runner.
//
// On every rank one thread (the caller's) speaks with the others. Two upscale, so that a segment is
// begun while the one before is being finished, and as many as the rank has encoders encode; rank 0
// hands out the work and does its share.
#pragma once

#include "vsr/base/error.hpp"
#include "vsr/cluster/communicator.hpp"
#include "vsr/cluster/far_files.hpp"
#include "vsr/cluster/file_service.hpp"
#include "vsr/cluster/gate.hpp"
#include "vsr/cluster/task.hpp"
#include "vsr/cluster/watcher.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vsr::cluster {

// How soon to stop: set by signals, read by everyone. Only ever grows.
enum class Stop : int { kNo = 0, kAfterSegment = 1, kNow = 2 };

// What a rank can do at once.
struct Capacity {
  bool upscales = true;
  int encoders = 0;
  int cpus = 1;  // processors that are this rank's, for either
};

// What came of a piece of work; travels between ranks as a value.
struct SegmentOutcome {
  Work work = Work::kUpscale;
  int segment = 0;
  bool ok = false;
  ErrorCode code = ErrorCode::kInternal;  // if not ok
  std::string message;                    // likewise
  // If not ok: another rank or another try may do better. Faults of job, film and model
  // (kUsage, kInput, kModel) are never tried again, whatever stands here.
  bool retryable = true;
  bool disk_full = false;  // that is why
  double wall_s = 0;       // since it began, or since the last one was done if that was later
};

// Does and commits a piece of work. Exceptions become outcomes. Called on the worker's threads;
// segments to be upscaled come one at a time, the next one as soon as `next_may_begin` was called,
// which it need not be.
using Runner =
    std::function<SegmentOutcome(const Task& task, const std::function<void()>& next_may_begin)>;

// How fast one kind of work goes, by what was done of it since the list was begun. By the time that
// workers were at it, and not by the clock: so neither the first pieces, on which all work at once,
// nor workers that wait for others' pieces spoil it.
struct Pace {
  std::int64_t frames = 0;
  double worker_s = 0;  // that these took, of all workers together
  int workers = 0;      // that can be at it at once

  // Frames a second of all workers; 0: not known yet.
  double fps() const { return worker_s > 0 ? static_cast<double>(frames) / worker_s * workers : 0; }
};

struct Progress {
  int done = 0;     // segments upscaled
  int encoded = 0;  // and encoded
  int total = 0;
  std::int64_t frames_done = 0;  // of the segments upscaled
  std::int64_t frames_encoded = 0;
  std::int64_t frames = 0;
  Pace upscaling;  // where no rank upscales: of the other jobs, by the clock
  Pace encoding;
  int ranks = 0;
  std::vector<int> silent;  // ranks that have not been heard of for silence_s
  double silence_s = 0;
};

struct Tasks {
  std::vector<std::int64_t> weights;  // frames of each segment
  std::vector<bool> done;             // committed before this start
  std::vector<bool> encoded;          // likewise its chunk; empty: there are to be no chunks
  // What each rank can do; empty: all upscale. Somebody can do whatever there is to do; but where
  // none upscales, the segments are other jobs' and come by the gate.
  std::vector<Capacity> ranks;
  // Ranks say every second that they live. One that has not for so long is taken for dead, and what
  // it has in hand goes to others; should it go on, what it commits is as good.
  double silence_s = 60;
  Gate* gate = nullptr;          // none: this job is alone, and a full disk ends it
  FileService* files = nullptr;  // answers ranks that have FarFiles; null: there are none
  Watcher* watcher = nullptr;    // none: nobody watches
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

// On the other ranks: works until rank 0 dismisses them. `capacity` is what rank 0 believes.
// `files`: what the runner reads and puts at rank 0, if it does; rank 0 has a FileService then.
// `status`: what the rank tells of itself, some hundred bytes: it is asked every second, as long as
// rank 0 listens, by the thread that speaks, which waits for it. May be empty.
void serve(Communicator& communicator,
           const Runner& runner,
           const Capacity& capacity,
           std::atomic<int>& stop,
           FarFiles* files = nullptr,
           const std::function<std::string()>& status = {});

// On rank 0, last: lets the others go. When some have not said farewell within a few seconds, since
// they are stopped or out of reach, this is told, and the communicator given up.
void dismiss(Communicator& communicator);

}  // namespace vsr::cluster
