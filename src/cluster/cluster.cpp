#include "vsr/cluster/cluster.hpp"

#include "message.hpp"
#include "nap.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "worker.hpp"

#include <chrono>
#include <set>
#include <utility>

namespace vsr::cluster {

namespace {

constexpr auto kAliveEvery = std::chrono::seconds(1);
constexpr auto kFarewell = std::chrono::seconds(10);  // a segment in hand stops within three

using Clock = std::chrono::steady_clock;

void raise(std::atomic<int>& stop, int wanted) {
  int level = stop.load();
  while (level < wanted && !stop.compare_exchange_weak(level, wanted)) {
  }
}

Note interrupted(const Task& task) {
  SegmentOutcome outcome{
      .work = task.work, .segment = task.segment, .code = ErrorCode::kInterrupted};
  return {.kind = Kind::kOutcome, .outcome = std::move(outcome)};
}

// "1, 4".
std::string list_of(const std::set<int>& ranks) {
  std::string names;
  for (const int rank : ranks) names += format("{}{}", names.empty() ? "" : ", ", rank);
  return names;
}

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
      throw Error(ErrorCode::kCluster,
                  format("rank {} did not answer within {} s: look at its log and at the network "
                         "between the hosts",
                         list_of(missing),
                         timeout_s));
    }
    nap();
  }
  return all;
}

void serve(Communicator& communicator,
           const Runner& runner,
           const Capacity& capacity,
           std::atomic<int>& stop,
           FarFiles* files,
           const std::function<std::string()>& status) {
  Worker worker(runner, capacity);
  bool leaving = false;
  int may_say = 0;  // without work in hand
  Clock::time_point said = Clock::now();
  while (true) {
    const bool has_to_speak = worker.busy() || (status && may_say > 0);
    if (has_to_speak && Clock::now() - said > kAliveEvery) {
      if (!worker.busy()) --may_say;
      communicator.send(
          0, encode({.kind = Kind::kAlive, .status = status ? status() : std::string()}));
      said = Clock::now();
    }
    const bool sending = files != nullptr && files->speak(communicator);
    if (const auto message = communicator.poll()) {
      Note note = decode(message->bytes);
      if (note.kind == Kind::kListening) {  // which says nothing of files
        may_say = kMostUnheard;
        continue;
      }
      if (files != nullptr && files->receive(note)) continue;
      if (note.kind == Kind::kDismiss) {
        // Rank 0 failed if a segment is in hand still: nobody waits for it.
        if (worker.busy()) raise(stop, static_cast<int>(Stop::kNow));
        communicator.send(0, encode({.kind = Kind::kFarewell}));
        communicator.flush(5);
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
    nap(sending);
  }
}

void dismiss(Communicator& communicator) {
  std::set<int> missing;
  for (int rank = 1; rank < communicator.size(); ++rank) {
    communicator.send(rank, encode({.kind = Kind::kDismiss}));
    missing.insert(rank);
  }
  const auto deadline = Clock::now() + kFarewell;
  while (!missing.empty() && Clock::now() < deadline) {
    if (const auto message = communicator.poll()) {
      if (decode(message->bytes).kind == Kind::kFarewell) missing.erase(message->from);
    } else {
      nap();
    }
  }
  if (missing.empty()) return;
  log::warning("cluster", "rank {} does not answer any more; it is ended", list_of(missing));
  communicator.give_up();
}

}  // namespace vsr::cluster
