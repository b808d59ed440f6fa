#include "vsr/cluster/scheduler.hpp"

#include "vsr/base/error.hpp"
#include "vsr/job/plan.hpp"

#include <algorithm>

namespace vsr::cluster {

Scheduler::Scheduler(std::vector<std::int64_t> weights,
                     const std::vector<bool>& done,
                     int ranks,
                     int most_attempts)
    : Scheduler(std::move(weights),
                done,
                std::vector<bool>(static_cast<std::size_t>(std::max(0, ranks)), true),
                most_attempts) {}

Scheduler::Scheduler(std::vector<std::int64_t> weights,
                     const std::vector<bool>& done,
                     const std::vector<bool>& upscales,
                     int most_attempts)
    : weights_(std::move(weights)),
      attempts_(weights_.size(), 0),
      last_failed_on_(weights_.size(), -1),
      ranks_(upscales.size()),
      most_attempts_(most_attempts) {
  const auto parts = static_cast<int>(std::count(upscales.begin(), upscales.end(), true));
  if (ranks_.empty() || done.size() != weights_.size()) {
    throw Error(ErrorCode::kInternal, "Scheduler: sizes do not match");
  }
  // The runs share out what is left, not the whole film: after a resume all ranks have work.
  std::vector<int> left;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (!done[i]) left.push_back(static_cast<int>(i));
  }
  remaining_ = static_cast<int>(left.size());
  int part = 0;
  for (std::size_t rank = 0; rank < upscales.size(); ++rank) {
    ranks_[rank].gone = !upscales[rank];
    if (!upscales[rank]) continue;
    const FrameRange mine = preferred_segments(remaining_, part++, parts);
    for (std::int64_t i = mine.begin; i < mine.end; ++i) {
      ranks_[rank].run.push_back(left[static_cast<std::size_t>(i)]);
    }
  }
}

double Scheduler::seconds_left(const Rank& rank) const {
  double frames = 0;
  for (const int segment : rank.run) {
    frames += static_cast<double>(weights_[static_cast<std::size_t>(segment)]);
  }
  // Before anything is measured all ranks count as equally fast.
  const double rate = rank.seconds > 0 ? static_cast<double>(rank.frames_done) / rank.seconds : 1.0;
  return frames / std::max(rate, 1e-9);
}

std::optional<int> Scheduler::take(int rank) {
  Rank& me = ranks_[static_cast<std::size_t>(rank)];
  // A failed segment goes elsewhere first, if there is an elsewhere.
  const auto others =
      std::count_if(ranks_.begin(), ranks_.end(), [](const Rank& r) { return !r.gone; });
  for (auto it = again_.begin(); it != again_.end(); ++it) {
    if (others > 1 && last_failed_on_[static_cast<std::size_t>(*it)] == rank) continue;
    const int segment = *it;
    again_.erase(it);
    return segment;
  }
  if (!me.run.empty()) {
    const int segment = me.run.front();
    me.run.pop_front();
    return segment;
  }
  Rank* victim = nullptr;
  for (Rank& other : ranks_) {
    if (other.run.empty()) continue;
    if (victim == nullptr || seconds_left(other) > seconds_left(*victim)) victim = &other;
  }
  if (victim == nullptr) return std::nullopt;
  const int segment = victim->run.back();
  victim->run.pop_back();
  return segment;
}

std::optional<Scheduler::Task> Scheduler::next(int rank) {
  const auto segment = take(rank);
  if (!segment) return std::nullopt;
  ranks_[static_cast<std::size_t>(rank)].in_hand.push_back(*segment);
  return Task{*segment, ++attempts_[static_cast<std::size_t>(*segment)]};
}

void Scheduler::succeeded(int rank, int segment, double seconds) {
  Rank& me = ranks_[static_cast<std::size_t>(rank)];
  std::erase(me.in_hand, segment);
  me.frames_done += weights_[static_cast<std::size_t>(segment)];
  me.seconds += seconds;
  --remaining_;
}

bool Scheduler::failed(int rank, int segment) {
  std::erase(ranks_[static_cast<std::size_t>(rank)].in_hand, segment);
  last_failed_on_[static_cast<std::size_t>(segment)] = rank;
  if (attempts_[static_cast<std::size_t>(segment)] >= most_attempts_) return false;
  again_.push_back(segment);
  return true;
}

void Scheduler::gave_back(int rank, int segment) {
  std::erase(ranks_[static_cast<std::size_t>(rank)].in_hand, segment);
  --attempts_[static_cast<std::size_t>(segment)];
  again_.push_back(segment);
}

void Scheduler::lost(int rank) {
  ranks_[static_cast<std::size_t>(rank)].gone = true;
  const std::vector<int> undone = ranks_[static_cast<std::size_t>(rank)].in_hand;
  for (const int segment : undone) gave_back(rank, segment);
}

int Scheduler::in_hand() const {
  std::size_t count = 0;
  for (const Rank& rank : ranks_) count += rank.in_hand.size();
  return static_cast<int>(count);
}

}  // namespace vsr::cluster
