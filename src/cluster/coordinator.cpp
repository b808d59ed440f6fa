// Rank 0's side of a list: the scheduler, the chunks, and what was said to whom.
#include "message.hpp"
#include "nap.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/cluster/chunk_queue.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/cluster/scheduler.hpp"
#include "worker.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

namespace vsr::cluster {

std::string describe(Work work, int segment) {
  return format("{}segment {}", work == Work::kEncode ? "the chunk of " : "", segment);
}

namespace {

constexpr auto kAskAgain = std::chrono::seconds(1);     // for room on the disk
constexpr auto kRecallEvery = std::chrono::seconds(2);  // what other jobs were at

using Clock = std::chrono::steady_clock;

// Faults that another rank or another try cannot mend: the film, the job or the model is at fault,
// or whoever failed knows better.
bool is_final(const SegmentOutcome& outcome) {
  return !outcome.retryable || outcome.code == ErrorCode::kUsage ||
         outcome.code == ErrorCode::kInput || outcome.code == ErrorCode::kModel;
}

std::vector<Capacity> capacities(const Tasks& tasks, int ranks) {
  return tasks.ranks.empty() ? std::vector<Capacity>(static_cast<std::size_t>(ranks)) : tasks.ranks;
}

std::vector<bool> who_upscales(const std::vector<Capacity>& ranks) {
  std::vector<bool> upscales;
  upscales.reserve(ranks.size());
  for (const Capacity& rank : ranks) upscales.push_back(rank.upscales);
  return upscales;
}

int how_many_encode(const std::vector<Capacity>& ranks) {
  return static_cast<int>(std::count_if(
      ranks.begin(), ranks.end(), [](const Capacity& rank) { return rank.encoders > 0; }));
}

// Processor time of this thread.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::int64_t frames_of(const std::vector<std::int64_t>& weights, const std::vector<bool>& which) {
  std::int64_t frames = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (which.empty() || which[i]) frames += weights[i];
  }
  return frames;
}

bool nobody_upscales(const std::vector<Capacity>& ranks) {
  return std::none_of(
      ranks.begin(), ranks.end(), [](const Capacity& rank) { return rank.upscales; });
}

class Coordinator {
 public:
  Coordinator(Communicator& communicator,
              const Tasks& tasks,
              const Runner& runner,
              const std::atomic<int>& stop,
              const std::function<void(const Progress&)>& progress)
      : communicator_(communicator),
        ranks_(capacities(tasks, communicator.size())),
        others_upscale_(nobody_upscales(ranks_)),
        scheduler_(tasks.weights, tasks.done, who_upscales(ranks_)),
        chunks_(tasks.encoded, how_many_encode(ranks_)),
        worker_(runner, ranks_.at(0)),
        stop_(stop),
        progress_(progress),
        total_(static_cast<int>(tasks.weights.size())),
        weights_(tasks.weights),
        upscaled_(tasks.done),
        encoded_(tasks.encoded),
        silence_(tasks.silence_s),
        gate_(tasks.gate),
        files_(tasks.files),
        watcher_(tasks.watcher),
        said_(static_cast<std::size_t>(communicator.size())),
        heard_(static_cast<std::size_t>(communicator.size()), Clock::now()),
        holds_(static_cast<std::size_t>(communicator.size())) {
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
    for (int rank = 1; rank < communicator_.size(); ++rank) listen_to(rank);
    bool moved = true;
    while (!finished()) {
      pass_on_stop();
      if (moved) hand_out();  // what there is for whom changes with what was heard alone
      moved = false;
      while (const auto message = communicator_.poll()) {
        heard_[static_cast<std::size_t>(message->from)] = Clock::now();
        Note note = decode(message->bytes);
        if (files_ != nullptr && is_of_files(note.kind)) {
          files_->receive(message->from, std::move(note));
          continue;
        }
        if (note.kind == Kind::kAlive) {
          take_status(message->from, note.status);
          continue;
        }
        receive(message->from, note);
        moved = true;
      }
      // Before anything that may keep this thread waiting: all that has come was heard.
      if (look_for_silent_ranks()) moved = true;
      const bool sending = files_ != nullptr && files_->speak(communicator_);
      while (auto event = worker_.poll()) {
        receive(0, note_of(*event));
        moved = true;
      }
      if (gate_ != nullptr && look_outside()) moved = true;
      if (!moved) nap(sending);
    }
    log::debug("cluster",
               "scheduling {} ranks took {:.3f} s of a processor in {:.1f} s",
               communicator_.size(),
               thread_seconds() - processor_begin_,
               std::chrono::duration<double>(Clock::now() - begin_).count());
    return end_;
  }

 private:
  bool stopping() const { return !end_.ok || stop_.load() != 0; }

  bool finished() {
    if (film_made_) return true;
    if (scheduler_.all_done() && chunks_.remaining() == 0) return true;
    if (scheduler_.in_hand() + chunks_.in_hand() > 0) return false;
    if (stopping()) {
      if (end_.ok) {
        end_ = {.ok = false,
                .code = ErrorCode::kInterrupted,
                .message = format("stopped; {} of {} segments are kept, the same command goes on",
                                  total_ - scheduler_.remaining(),
                                  total_)};
      }
      return true;
    }
    const bool upscalers_left =
        others_upscale_ || is_anybody_left([](const Capacity& rank) { return rank.upscales; });
    const bool encoders_left =
        is_anybody_left([](const Capacity& rank) { return rank.encoders > 0; });
    if ((upscalers_left || scheduler_.all_done()) && (encoders_left || chunks_.remaining() == 0)) {
      return false;
    }
    end_ = {.ok = false,
            .code = ErrorCode::kCluster,
            .message = format("every rank that {} has left; the same command goes on",
                              upscalers_left ? "encodes" : "upscales")};
    return true;
  }

  template <typename Can>
  bool is_anybody_left(Can can) const {
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      if (can(ranks_[static_cast<std::size_t>(rank)]) && !left_.contains(rank)) return true;
    }
    return false;
  }

  // A piece given up ends the run as the first signal does: what is in hand is finished, unless a
  // signal asks for more. Ranks that are told so never work again; so they are not told of a chunk
  // whose mezzanine may be damaged, after which there may be another list.
  void pass_on_stop() {
    const bool for_good =
        !end_.ok && !(end_.work == Work::kEncode && end_.code == ErrorCode::kStorage);
    const int own = for_good ? static_cast<int>(Stop::kAfterSegment) : 0;
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
      const auto task = is_silent(*it) ? std::nullopt : next_of(scheduler_, Work::kUpscale, *it);
      if (!task) {
        ++it;
        continue;
      }
      give(*it, *task);
      it = upscalers_.erase(it);
    }
    // First those that do nothing else: the cores of the others feed a network.
    for (const bool upscales : {false, true}) hand_out_chunks(upscales);
  }

  // One at a time to the rank with the most encoders free, so that few chunks are spread over all
  // hosts.
  void hand_out_chunks(bool upscales) {
    std::vector<int> ranks;
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      const bool has_role = ranks_[static_cast<std::size_t>(rank)].upscales == upscales;
      if (has_role && free_encoders(rank) > 0 && !is_silent(rank)) ranks.push_back(rank);
    }
    while (!ranks.empty()) {
      const auto most = std::max_element(ranks.begin(), ranks.end(), [this](int a, int b) {
        return free_encoders(a) < free_encoders(b);
      });
      auto task = next_of(chunks_, Work::kEncode, *most);
      if (task) {
        task->at_once = chunks_at_once(*most);
        give(*most, *task);
        --free_encoders(*most);
      }
      if (!task || free_encoders(*most) == 0) ranks.erase(most);
    }
  }

  int& free_encoders(int rank) { return free_encoders_[static_cast<std::size_t>(rank)]; }

  // When fewer chunks are left than there are encoders, each may have more of the processors.
  int chunks_at_once(int rank) const {
    const int encoders = ranks_[static_cast<std::size_t>(rank)].encoders;
    const int parts = how_many_encode(ranks_);
    return std::clamp((chunks_.remaining() + parts - 1) / parts, 1, encoders);
  }

  // What the rank should do next and may be begun.
  template <typename Queue>
  std::optional<Task> next_of(Queue& queue, Work work, int rank) {
    if (no_room_for_.count(work) > 0) return std::nullopt;
    while (const auto task = queue.next(rank)) {
      // It was taken for dead with this piece, came back, and may finish it yet.
      if (holds_[static_cast<std::size_t>(rank)].contains({work, task->segment})) {
        queue.set_aside(rank, task->segment);
        continue;
      }
      const auto answer = gate_ == nullptr ? Gate::Answer::kYes : gate_->ask({work, task->segment});
      if (answer == Gate::Answer::kYes) return task;
      if (answer == Gate::Answer::kTakenElsewhere) {
        queue.set_aside(rank, task->segment);
        continue;
      }
      queue.gave_back(rank, task->segment);
      no_room_for_.insert(work);
      if (watcher_ != nullptr) watcher_->waits_for_room(true);
      ask_again_ = Clock::now() + kAskAgain;
      return std::nullopt;
    }
    return std::nullopt;
  }

  bool is_silent(int rank) const { return std::count(silent_.begin(), silent_.end(), rank) > 0; }

  // What other jobs have done, what they may have left, and whether there is room now. Whether
  // anything is to be handed out anew.
  bool look_outside() {
    bool moved = false;
    for (const Piece& piece : gate_->news()) news_.push_back(piece);
    std::erase_if(news_, [&](const Piece& piece) {
      if (is_in_hand(piece)) return false;
      moved = take_note(piece) || moved;
      return true;
    });
    film_made_ = gate_->film_made();
    const auto now = Clock::now();
    if (others_upscale_ && !gate_->others_upscale()) others_since_.reset();
    if (moved && others_upscale_) measure_others(now);
    if (moved) report();
    if (!no_room_for_.empty() && now >= ask_again_) {
      no_room_for_.clear();
      moved = true;
    }
    if (now >= recall_) {
      recall_ = now + kRecallEvery;
      const bool segments = !upscalers_.empty() && scheduler_.recall();
      const bool encoders = std::any_of(
          free_encoders_.begin(), free_encoders_.end(), [](int free) { return free > 0; });
      const bool chunks = encoders && chunks_.recall();
      moved = moved || segments || chunks;
    }
    return moved;
  }

  // By the clock, since that is all there is of them; from the first on that came, since they may
  // have begun long before or after this list; and anew where nobody was at it for a while, until
  // which what was measured before stands.
  void measure_others(Clock::time_point now) {
    const std::int64_t frames = frames_of(weights_, upscaled_);
    if (!others_since_) {
      others_since_ = {now, frames};
      return;
    }
    upscaling_.frames = frames - others_since_->second;
    upscaling_.worker_s = std::chrono::duration<double>(now - others_since_->first).count();
  }

  bool is_in_hand(const Piece& piece) const {
    return scheduler_.is_in_hand(piece.segment) ||
           (piece.work == Work::kEncode && chunks_.is_in_hand(piece.segment));
  }

  // Of a chunk: its segment's mezzanine may be gone already.
  bool take_note(const Piece& piece) {
    const bool segment = scheduler_.done_elsewhere(piece.segment);
    if (watcher_ != nullptr) watcher_->made_elsewhere(piece);
    upscaled_[static_cast<std::size_t>(piece.segment)] = true;
    if (piece.work == Work::kEncode) {
      encoded_[static_cast<std::size_t>(piece.segment)] = true;
      return chunks_.done_elsewhere(piece.segment) || segment;
    }
    if (segment) chunks_.ready(piece.segment, -1);
    return segment;
  }

  void give(int rank, const Task& task) {
    log::debug("cluster",
               "{} to rank {} (attempt {})",
               describe(task.work, task.segment),
               rank,
               task.attempt);
    auto& holds = holds_[static_cast<std::size_t>(rank)];
    // It had nothing to say as long as it had nothing to do.
    if (holds.empty()) heard_[static_cast<std::size_t>(rank)] = Clock::now();
    holds.insert({task.work, task.segment});
    if (watcher_ != nullptr) {
      watcher_->begun(rank, task);
      watcher_->waits_for_room(false);
    }
    if (rank == 0) {
      worker_.start(task);
    } else {
      communicator_.send(rank, encode({.kind = Kind::kAssign, .task = task}));
    }
  }

  // Says now and then that it is read, or the rank would speak no more.
  void take_status(int from, const std::string& status) {
    if (watcher_ != nullptr && !status.empty()) watcher_->said(from, status);
    if (++said_[static_cast<std::size_t>(from)] % (kMostUnheard / 3) == 0) listen_to(from);
  }

  void listen_to(int rank) { communicator_.send(rank, encode({.kind = Kind::kListening})); }

  void receive(int from, const Note& note) {
    switch (note.kind) {
      case Kind::kFarewell:
        break;
      case Kind::kReady:
        upscalers_.insert(from);
        break;
      case Kind::kOutcome:
        receive_outcome(from, note.outcome);
        break;
      case Kind::kLeaving:
        upscalers_.erase(from);
        left_.insert(from);
        free_encoders(from) = 0;
        holds_[static_cast<std::size_t>(from)].clear();
        lose(from);
        if (watcher_ != nullptr) watcher_->left(from);
        break;
      default:
        throw Error(ErrorCode::kCluster, format("rank {} said what only rank 0 may say", from));
    }
  }

  void receive_outcome(int from, const SegmentOutcome& outcome) {
    const bool encoded = outcome.work == Work::kEncode;
    const bool interrupted = !outcome.ok && outcome.code == ErrorCode::kInterrupted;
    holds_[static_cast<std::size_t>(from)].erase({outcome.work, outcome.segment});
    // A rank that was interrupted wants no more, and is about to say so.
    if (encoded) free_encoders(from) = interrupted ? 0 : free_encoders(from) + 1;
    settle(from, outcome);
    if (watcher_ != nullptr) watcher_->over(from, {outcome.work, outcome.segment}, outcome.ok);
    const bool others_at_it =
        encoded ? chunks_.is_in_hand(outcome.segment) : scheduler_.is_in_hand(outcome.segment);
    if (gate_ != nullptr && !others_at_it) {
      gate_->over({outcome.work, outcome.segment}, outcome.disk_full);
    }
  }

  void settle(int from, const SegmentOutcome& outcome) {
    const bool encoded = outcome.work == Work::kEncode;
    if (outcome.ok) {
      count(outcome);
      if (encoded) {
        chunks_.succeeded(from, outcome.segment);
      } else {
        scheduler_.succeeded(from, outcome.segment, outcome.wall_s);
        chunks_.ready(outcome.segment, from);
      }
      report();
      return;
    }
    // Whoever asked for the interruption knows; the gate waits for room on the disk.
    if (outcome.code == ErrorCode::kInterrupted || (outcome.disk_full && gate_ != nullptr)) {
      if (outcome.disk_full) tell_of_failure(from, outcome, "left for later");
      if (encoded) {
        chunks_.gave_back(from, outcome.segment);
      } else {
        scheduler_.gave_back(from, outcome.segment);
      }
      return;
    }
    const bool tries_left =
        encoded ? chunks_.failed(from, outcome.segment) : scheduler_.failed(from, outcome.segment);
    if ((tries_left && !is_final(outcome)) || !end_.ok) {
      tell_of_failure(from, outcome, stopping() ? "" : "to be tried again");
    } else {
      end_ = outcome;
      if (communicator_.size() > 1) end_.message += format(" (rank {})", from);
    }
  }

  void count(const SegmentOutcome& done) {
    const bool encoded = done.work == Work::kEncode;
    const auto segment = static_cast<std::size_t>(done.segment);
    (encoded ? encoded_ : upscaled_)[segment] = true;
    Pace& pace = encoded ? encoding_ : upscaling_;
    pace.frames += weights_[segment];
    pace.worker_s += done.wall_s;
  }

  static void tell_of_failure(int from, const SegmentOutcome& outcome, const std::string& then) {
    log::warning("cluster",
                 "{} failed on rank {}{}{}: {}",
                 describe(outcome.work, outcome.segment),
                 from,
                 then.empty() ? "" : ", ",
                 then,
                 outcome.message);
  }

  // What a rank that hangs has in hand goes to the others. Should it go on, what it commits is
  // right, and it works on with them. Whether anything has changed.
  bool look_for_silent_ranks() {
    std::vector<int> silent;
    const auto now = Clock::now();
    for (int rank = 1; rank < communicator_.size(); ++rank) {
      const auto at = static_cast<std::size_t>(rank);
      const std::chrono::duration<double> since = now - heard_[at];
      if (!holds_[at].empty() && since.count() > silence_) silent.push_back(rank);
    }
    if (silent == silent_) return false;
    silent.swap(silent_);
    for (const int rank : silent) {
      if (!is_silent(rank)) come_back(rank);
    }
    for (const int rank : silent_) lose(rank);
    report();
    return true;
  }

  // It works no more, or for now; others may have what it has in hand.
  void lose(int rank) {
    const Capacity& capacity = ranks_[static_cast<std::size_t>(rank)];
    std::vector<Piece> pieces;
    if (capacity.upscales) {
      for (const int segment : scheduler_.lost(rank)) pieces.push_back({Work::kUpscale, segment});
    }
    if (capacity.encoders > 0) {
      for (const int segment : chunks_.lost(rank)) pieces.push_back({Work::kEncode, segment});
    }
    for (const Piece& piece : pieces) {
      if (watcher_ != nullptr) watcher_->over(rank, piece, false);
      if (gate_ != nullptr) gate_->over(piece, false);
    }
  }

  void come_back(int rank) {
    if (left_.contains(rank)) return;
    const Capacity& capacity = ranks_[static_cast<std::size_t>(rank)];
    if (capacity.upscales) scheduler_.back(rank);
    if (capacity.encoders > 0) chunks_.back(rank);
  }

  void report() {
    Progress now{.done = total_ - scheduler_.remaining(),
                 .encoded = total_ - chunks_.remaining(),
                 .total = total_,
                 .frames_done = frames_of(weights_, upscaled_),
                 .frames_encoded = frames_of(weights_, encoded_),
                 .frames = frames_of(weights_, {}),
                 .upscaling = upscaling_,
                 .encoding = encoding_,
                 .ranks = communicator_.size(),
                 .silent = silent_,
                 .silence_s = silence_};
    now.encoding.workers =
        std::accumulate(free_encoders_.begin(), free_encoders_.end(), chunks_.in_hand());
    for (int rank = 0; rank < now.ranks; ++rank) {
      const bool upscales = ranks_[static_cast<std::size_t>(rank)].upscales;
      now.upscaling.workers += upscales && !left_.contains(rank) && !is_silent(rank) ? 1 : 0;
    }
    if (others_upscale_) now.upscaling.workers = 1;  // all together
    progress_(now);
  }

  Communicator& communicator_;
  const std::vector<Capacity> ranks_;
  const bool others_upscale_;  // other jobs, none of these ranks
  Scheduler scheduler_;
  ChunkQueue chunks_;
  Worker worker_;
  const std::atomic<int>& stop_;
  const std::function<void(const Progress&)>& progress_;
  const int total_;
  const std::vector<std::int64_t> weights_;
  // By segment; `encoded_` is empty where there are to be no chunks.
  std::vector<bool> upscaled_;
  std::vector<bool> encoded_;
  Pace upscaling_;
  Pace encoding_;
  // When the first segments of others came, and how many frames there were then.
  std::optional<std::pair<Clock::time_point, std::int64_t>> others_since_;
  const double silence_;  // seconds
  Gate* const gate_;
  // Not taken note of yet, since it is in hand: a rank that has committed may be lost before it
  // says so.
  std::vector<Piece> news_;
  bool film_made_ = false;      // by another job
  std::set<Work> no_room_for_;  // until ask_again_
  Clock::time_point ask_again_;
  Clock::time_point recall_ = Clock::now() + kRecallEvery;
  FileService* const files_;  // these two may be null
  Watcher* const watcher_;
  std::vector<int> said_;                 // by rank: how often it has told how it is
  std::vector<Clock::time_point> heard_;  // by rank
  // By rank: what it was given and has not answered, be it in hand of others by now.
  std::vector<std::set<std::pair<Work, int>>> holds_;
  std::vector<int> silent_;
  std::set<int> left_;              // ranks that work no more
  std::set<int> upscalers_;         // ranks that can begin a segment
  std::vector<int> free_encoders_;  // by rank
  int told_stop_ = 0;
  SegmentOutcome end_{.ok = true};
  const Clock::time_point begin_ = Clock::now();
  const double processor_begin_ = thread_seconds();
};

}  // namespace

SegmentOutcome coordinate(Communicator& communicator,
                          const Tasks& tasks,
                          const Runner& runner,
                          const std::atomic<int>& stop,
                          const std::function<void(const Progress&)>& progress) {
  return Coordinator(communicator, tasks, runner, stop, progress).run();
}

}  // namespace vsr::cluster
