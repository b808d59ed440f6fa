#include "vsr/cluster/cluster.hpp"

#include "message.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/cluster/chunk_queue.hpp"
#include "vsr/cluster/scheduler.hpp"
#include "worker.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

namespace vsr::cluster {

namespace {

constexpr auto kNap = std::chrono::milliseconds(5);
constexpr auto kAliveEvery = std::chrono::seconds(5);

using Clock = std::chrono::steady_clock;

// Faults that another rank or another try cannot mend: the film, the job or the model is at fault,
// or whoever failed knows better.
bool is_final(const SegmentOutcome& outcome) {
  return !outcome.retryable || outcome.code == ErrorCode::kUsage ||
         outcome.code == ErrorCode::kInput || outcome.code == ErrorCode::kModel;
}

void raise(std::atomic<int>& stop, int wanted) {
  int level = stop.load();
  while (level < wanted && !stop.compare_exchange_weak(level, wanted)) {
  }
}

Note note_of(const Worker::Event& event) {
  if (!event.outcome) return {.kind = Kind::kReady};
  return {.kind = Kind::kOutcome, .outcome = *event.outcome};
}

Note interrupted(const Task& task) {
  SegmentOutcome outcome{
      .work = task.work, .segment = task.segment, .code = ErrorCode::kInterrupted};
  return {.kind = Kind::kOutcome, .outcome = std::move(outcome)};
}

std::vector<Capacity> capacities(const Tasks& tasks, int ranks) {
  return tasks.ranks.empty() ? std::vector<Capacity>(static_cast<std::size_t>(ranks)) : tasks.ranks;
}

std::vector<bool> who_upscales(const std::vector<Capacity>& ranks) {
  std::vector<bool> upscales;
  for (const Capacity& rank : ranks) upscales.push_back(rank.upscales);
  return upscales;
}

int how_many_encode(const std::vector<Capacity>& ranks) {
  return static_cast<int>(std::count_if(
      ranks.begin(), ranks.end(), [](const Capacity& rank) { return rank.encoders > 0; }));
}

// "segment 7", "the chunk of segment 7".
std::string describe(Work work, int segment) {
  return format("{}segment {}", work == Work::kEncode ? "the chunk of " : "", segment);
}

// Rank 0's side: the scheduler, and what was said to whom.
class Coordinator {
 public:
  Coordinator(Communicator& communicator,
              const Tasks& tasks,
              const Runner& runner,
              const std::atomic<int>& stop,
              const std::function<void(const Progress&)>& progress)
      : communicator_(communicator),
        ranks_(capacities(tasks, communicator.size())),
        scheduler_(tasks.weights, tasks.done, who_upscales(ranks_)),
        chunks_(tasks.encoded, how_many_encode(ranks_)),
        worker_(runner, ranks_.at(0)),
        stop_(stop),
        progress_(progress),
        total_(static_cast<int>(tasks.weights.size())),
        silence_(tasks.silence_s),
        heard_(static_cast<std::size_t>(communicator.size()), Clock::now()) {
    for (int segment = 0; segment < total_; ++segment) {
      if (tasks.done[static_cast<std::size_t>(segment)]) chunks_.ready(segment, -1);
    }
    // All are idle when a list starts; one that has left says so again when it is given work.
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      const Capacity& capacity = ranks_[static_cast<std::size_t>(rank)];
      if (capacity.upscales) upscalers_.insert(rank);
      free_encoders_.push_back(capacity.encoders);
    }
  }

  SegmentOutcome run() {
    report();
    bool moved = true;
    while (!finished()) {
      pass_on_stop();
      if (moved) hand_out();  // what there is for whom changes with what was heard alone
      moved = false;
      while (const auto message = communicator_.poll()) {
        heard_[static_cast<std::size_t>(message->from)] = Clock::now();
        receive(message->from, decode(message->bytes));
        moved = true;
      }
      while (auto event = worker_.poll()) {
        receive(0, note_of(*event));
        moved = true;
      }
      look_for_silent_ranks();
      if (!moved) std::this_thread::sleep_for(kNap);
    }
    return end_;
  }

 private:
  bool stopping() const { return !end_.ok || stop_.load() != 0; }

  bool finished() {
    if (scheduler_.all_done() && chunks_.remaining() == 0) return true;
    if (!stopping() || scheduler_.in_hand() + chunks_.in_hand() > 0) return false;
    if (end_.ok) {
      end_ = {.ok = false,
              .code = ErrorCode::kInterrupted,
              .message = format("stopped; {} of {} segments are kept, the same command goes on",
                                total_ - scheduler_.remaining(),
                                total_)};
    }
    return true;
  }

  // A segment given up ends the run as the first signal does: what is in hand is finished, unless
  // a signal asks for more.
  void pass_on_stop() {
    const int own = end_.ok ? 0 : static_cast<int>(Stop::kAfterSegment);
    const int level = std::max(own, stop_.load());
    if (level <= told_stop_) return;
    told_stop_ = level;
    for (int rank = 1; rank < communicator_.size(); ++rank) {
      communicator_.send(rank, encode({.kind = Kind::kStop, .level = level}));
    }
  }

  void hand_out() {
    if (stopping()) return;
    for (auto it = upscalers_.begin(); it != upscalers_.end();) {
      const auto task = scheduler_.next(*it);
      if (!task) {
        ++it;
        continue;
      }
      give(*it, *task);
      it = upscalers_.erase(it);
    }
    // First those that do nothing else: the cores of the others feed a network.
    for (const bool upscales : {false, true}) {
      for (int rank = 0; rank < communicator_.size(); ++rank) {
        if (ranks_[static_cast<std::size_t>(rank)].upscales == upscales) hand_out_chunks(rank);
      }
    }
  }

  void hand_out_chunks(int rank) {
    for (int& free = free_encoders_[static_cast<std::size_t>(rank)]; free > 0; --free) {
      const auto task = chunks_.next(rank);
      if (!task) break;
      give(rank, *task);
    }
  }

  void give(int rank, const Task& task) {
    log::debug("cluster",
               "{} to rank {} (attempt {})",
               describe(task.work, task.segment),
               rank,
               task.attempt);
    if (rank == 0) {
      worker_.start(task);
    } else {
      communicator_.send(rank, encode({.kind = Kind::kAssign, .task = task}));
    }
  }

  void receive(int from, const Note& note) {
    switch (note.kind) {
      case Kind::kAlive:
        break;
      case Kind::kReady:
        upscalers_.insert(from);
        break;
      case Kind::kOutcome:
        receive_outcome(from, note.outcome);
        break;
      case Kind::kLeaving:
        upscalers_.erase(from);
        free_encoders_[static_cast<std::size_t>(from)] = 0;
        scheduler_.lost(from);
        chunks_.lost(from);
        break;
      default:
        throw Error(ErrorCode::kCluster, format("rank {} said what only rank 0 may say", from));
    }
  }

  void receive_outcome(int from, const SegmentOutcome& outcome) {
    const bool encoded = outcome.work == Work::kEncode;
    if (encoded) ++free_encoders_[static_cast<std::size_t>(from)];
    if (outcome.ok) {
      if (encoded) {
        chunks_.succeeded(outcome.segment);
      } else {
        scheduler_.succeeded(from, outcome.segment, outcome.wall_s);
        chunks_.ready(outcome.segment, from);
      }
      report();
      return;
    }
    if (outcome.code == ErrorCode::kInterrupted) {  // whoever asked for it knows
      if (encoded) {
        chunks_.gave_back(outcome.segment);
      } else {
        scheduler_.gave_back(from, outcome.segment);
      }
      return;
    }
    const bool tries_left =
        encoded ? chunks_.failed(from, outcome.segment) : scheduler_.failed(from, outcome.segment);
    if ((tries_left && !is_final(outcome)) || !end_.ok) {
      log::warning("cluster",
                   "{} failed on rank {}{}: {}",
                   describe(outcome.work, outcome.segment),
                   from,
                   stopping() ? "" : ", to be tried again",
                   outcome.message);
    } else {
      end_ = outcome;
      if (communicator_.size() > 1) end_.message += format(" (rank {})", from);
    }
  }

  // A rank that hangs keeps its work: should it go on, what it commits is right.
  void look_for_silent_ranks() {
    std::vector<int> silent;
    for (int rank = 1; rank < communicator_.size(); ++rank) {
      const bool at_work = scheduler_.in_hand(rank) + chunks_.in_hand(rank) > 0;
      const std::chrono::duration<double> since =
          Clock::now() - heard_[static_cast<std::size_t>(rank)];
      if (at_work && since.count() > silence_) silent.push_back(rank);
    }
    if (silent == silent_) return;
    silent_ = std::move(silent);
    report();
  }

  void report() {
    progress_({.done = total_ - scheduler_.remaining(),
               .encoded = total_ - chunks_.remaining(),
               .total = total_,
               .ranks = communicator_.size(),
               .silent = silent_});
  }

  Communicator& communicator_;
  const std::vector<Capacity> ranks_;
  Scheduler scheduler_;
  ChunkQueue chunks_;
  Worker worker_;
  const std::atomic<int>& stop_;
  const std::function<void(const Progress&)>& progress_;
  const int total_;
  const double silence_;                  // seconds
  std::vector<Clock::time_point> heard_;  // by rank
  std::vector<int> silent_;
  std::set<int> upscalers_;         // ranks that can begin a segment
  std::vector<int> free_encoders_;  // by rank
  int told_stop_ = 0;
  SegmentOutcome end_{.ok = true};
};

}  // namespace

std::vector<std::string> gather(Communicator& communicator, std::string bytes, double timeout_s) {
  communicator.send(0, std::move(bytes));
  if (communicator.rank() != 0) return {};
  std::vector<std::string> all(static_cast<std::size_t>(communicator.size()));
  std::set<int> missing;
  for (int rank = 0; rank < communicator.size(); ++rank) missing.insert(rank);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
  while (!missing.empty()) {
    if (auto message = communicator.poll()) {
      missing.erase(message->from);
      all[static_cast<std::size_t>(message->from)] = std::move(message->bytes);
      continue;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      std::string names;
      for (const int rank : missing) names += format("{}{}", names.empty() ? "" : ", ", rank);
      throw Error(ErrorCode::kCluster,
                  format("rank {} did not answer within {} s: look at its log and at the network "
                         "between the hosts",
                         names,
                         timeout_s));
    }
    std::this_thread::sleep_for(kNap);
  }
  return all;
}

SegmentOutcome coordinate(Communicator& communicator,
                          const Tasks& tasks,
                          const Runner& runner,
                          const std::atomic<int>& stop,
                          const std::function<void(const Progress&)>& progress) {
  return Coordinator(communicator, tasks, runner, stop, progress).run();
}

void serve(Communicator& communicator,
           const Runner& runner,
           const Capacity& capacity,
           std::atomic<int>& stop) {
  Worker worker(runner, capacity);
  bool leaving = false;
  Clock::time_point said = Clock::now();
  while (true) {
    if (Clock::now() - said > kAliveEvery) {
      communicator.send(0, encode({.kind = Kind::kAlive}));
      said = Clock::now();
    }
    if (const auto message = communicator.poll()) {
      const Note note = decode(message->bytes);
      if (note.kind == Kind::kDismiss) {
        // Rank 0 failed if a segment is in hand still: nobody waits for it.
        if (worker.busy()) raise(stop, static_cast<int>(Stop::kNow));
        return;
      }
      if (note.kind == Kind::kStop) raise(stop, note.level);
      if (note.kind == Kind::kAssign) {
        if (leaving) {  // it crossed the leaving, or is of a later list: rank 0 takes it back
          communicator.send(0, encode({.kind = Kind::kLeaving}));
        } else if (stop.load() != 0) {  // it crossed the signal
          communicator.send(0, encode(interrupted(note.task)));
        } else {
          worker.start(note.task);
        }
      }
      continue;
    }
    if (auto event = worker.poll()) {
      // A rank that is to stop wants no more.
      if (event->outcome || stop.load() == 0) communicator.send(0, encode(note_of(*event)));
      continue;
    }
    if (stop.load() != 0 && !worker.busy() && !leaving) {
      leaving = true;
      communicator.send(0, encode({.kind = Kind::kLeaving}));
    }
    std::this_thread::sleep_for(kNap);
  }
}

void dismiss(Communicator& communicator) {
  for (int rank = 1; rank < communicator.size(); ++rank) {
    communicator.send(rank, encode({.kind = Kind::kDismiss}));
  }
  communicator.flush(5);
}

}  // namespace vsr::cluster
