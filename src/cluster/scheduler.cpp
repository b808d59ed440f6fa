#include "vsr/cluster/scheduler.hpp"

#include "vsr/base/error.hpp"
#include "vsr/job/plan.hpp"

#include <algorithm>
#include <utility>

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
      done_(done),
      attempts_(weights_.size(), 0),
      last_failed_on_(weights_.size(), -1),
      ranks_(upscales.size()),
      most_attempts_(most_attempts) {
  const auto parts = static_cast<int>(std::count(upscales.begin(), upscales.end(), true));
  if (ranks_.empty() || done.size() != weights_.size()) {
    throw Error(ErrorCode::kInternal, "Scheduler: sizes do not match");
  }
  // Runs and tail share out what is left, not the whole film: after a resume all ranks have work.
  std::vector<int> left;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (done[i]) continue;
    left.push_back(static_cast<int>(i));
    unassigned_ += weights_[i];
  }
  remaining_ = static_cast<int>(left.size());
  const auto tail_begin = left.begin() + tail_of(left);
  tail_.assign(tail_begin, left.end());
  left.erase(tail_begin, left.end());
  int part = 0;
  for (std::size_t rank = 0; rank < upscales.size(); ++rank) {
    ranks_[rank].gone = !upscales[rank];
    if (!upscales[rank]) continue;
    const FrameRange mine = preferred_segments(static_cast<int>(left.size()), part++, parts);
    for (std::int64_t i = mine.begin; i < mine.end; ++i) {
      ranks_[rank].run.push_back(left[static_cast<std::size_t>(i)]);
    }
  }
}

// Where the last tenth begins, by frames; of a few segments nothing.
std::ptrdiff_t Scheduler::tail_of(const std::vector<int>& left) const {
  constexpr std::size_t kFew = 10;
  constexpr double kTail = 0.1;
  const auto end = static_cast<std::ptrdiff_t>(left.size());
  if (left.size() < kFew) return end;
  std::ptrdiff_t begin = end;
  double frames = 0;
  while (begin > 0) {
    frames += static_cast<double>(weight(left[static_cast<std::size_t>(begin - 1)]));
    if (frames > kTail * static_cast<double>(unassigned_) + 1e-6) break;
    --begin;
  }
  return begin;
}

double Scheduler::seconds_left(const Rank& rank) const {
  double frames = 0;
  for (const int segment : rank.run) frames += static_cast<double>(weight(segment));
  // Before anything is measured all ranks count as equally fast.
  return frames / (rank.rate() > 0 ? rank.rate() : 1.0);
}

// Of those that came back undone: where the first one is that may go to this rank.
std::deque<int>::iterator Scheduler::again_for(int rank) {
  // A failed segment goes elsewhere first, if there is an elsewhere.
  const auto others =
      std::count_if(ranks_.begin(), ranks_.end(), [](const Rank& r) { return !r.gone; });
  return std::find_if(again_.begin(), again_.end(), [&](int segment) {
    return others <= 1 || last_failed_on_[static_cast<std::size_t>(segment)] != rank;
  });
}

// Note [Waiting for a faster rank]
// Near the end a slow rank that takes one more segment may be what all others wait for. So a rank
// that is slower than the mean takes none that it would finish later than everything would be, if
// all ranks shared what is left, and half a segment's time of the mean rank: somebody faster comes
// free before. What is in hand counts half, since nobody tells how far it is. Simulated with ranks
// from half to twice as fast as usual: 64 of them over three hours of film end within 1.05 of the
// ideal, in place of 1.11 (scheduler_test.cpp).
bool Scheduler::leaves_it_to_others(int rank, int segment) const {
  double rates = 0;
  double in_hand = 0;
  int parts = 0;
  for (const Rank& each : ranks_) {
    for (const int one : each.in_hand) in_hand += static_cast<double>(weight(one));
    if (each.gone) continue;
    if (each.rate() <= 0) return false;  // not all are known
    rates += each.rate();
    ++parts;
  }
  if (in_hand == 0 || parts == 0) return false;
  const double mean = rates / parts;
  const double own = ranks_[static_cast<std::size_t>(rank)].rate();
  const auto frames = static_cast<double>(weight(segment));
  const double all_done = (static_cast<double>(unassigned_) + in_hand / 2) / rates;
  return own < mean && frames / own > all_done + frames / mean / 2;
}

// The segments that `rank` takes from, and whether from the end of them.
Scheduler::Source Scheduler::source_for(int rank) {
  Rank& me = ranks_[static_cast<std::size_t>(rank)];
  if (!me.run.empty()) return {&me.run, false};
  Rank* victim = nullptr;
  double most = 0;
  for (Rank& other : ranks_) {
    if (other.run.empty()) continue;
    const double left = seconds_left(other);
    if (victim != nullptr && left <= most) continue;
    victim = &other;
    most = left;
  }
  if (victim != nullptr) return {&victim->run, true};
  return {&tail_, false};
}

std::optional<Task> Scheduler::next(int rank) {
  int segment = 0;
  if (const auto again = again_for(rank); again != again_.end()) {
    segment = *again;
    again_.erase(again);
  } else {
    const Source source = source_for(rank);
    if (source.segments->empty()) return std::nullopt;
    segment = source.from_end ? source.segments->back() : source.segments->front();
    if (leaves_it_to_others(rank, segment)) return std::nullopt;
    if (source.from_end) {
      source.segments->pop_back();
    } else {
      source.segments->pop_front();
    }
  }
  unassigned_ -= weight(segment);
  ranks_[static_cast<std::size_t>(rank)].in_hand.push_back(segment);
  return Task{Work::kUpscale, segment, ++attempts_[static_cast<std::size_t>(segment)]};
}

void Scheduler::succeeded(int rank, int segment, double seconds) {
  Rank& me = ranks_[static_cast<std::size_t>(rank)];
  if (std::erase(me.in_hand, segment) > 0) {
    me.frames_done += weight(segment);
    me.seconds += seconds;
  }
  done(segment);
}

// Wherever it is to be handed out from, it is no more.
void Scheduler::done(int segment) {
  if (done_[static_cast<std::size_t>(segment)]) return;
  done_[static_cast<std::size_t>(segment)] = true;
  --remaining_;
  auto queued = std::erase(again_, segment) + std::erase(tail_, segment);
  for (Rank& rank : ranks_) queued += std::erase(rank.run, segment);
  if (queued > 0) unassigned_ -= weight(segment);
  std::erase(aside_, segment);
}

bool Scheduler::done_elsewhere(int segment) {
  if (done_[static_cast<std::size_t>(segment)] || is_in_hand(segment)) return false;
  done(segment);
  return true;
}

bool Scheduler::failed(int rank, int segment) {
  const bool held = std::erase(ranks_[static_cast<std::size_t>(rank)].in_hand, segment) > 0;
  if (!held || done_[static_cast<std::size_t>(segment)]) return true;
  last_failed_on_[static_cast<std::size_t>(segment)] = rank;
  if (attempts_[static_cast<std::size_t>(segment)] >= most_attempts_) return false;
  come_back(segment);
  return true;
}

void Scheduler::gave_back(int rank, int segment) {
  const bool held = std::erase(ranks_[static_cast<std::size_t>(rank)].in_hand, segment) > 0;
  if (!held || done_[static_cast<std::size_t>(segment)]) return;
  --attempts_[static_cast<std::size_t>(segment)];
  come_back(segment);
}

void Scheduler::come_back(int segment) {
  again_.push_back(segment);
  unassigned_ += weight(segment);
}

void Scheduler::set_aside(int rank, int segment) {
  Rank& me = ranks_[static_cast<std::size_t>(rank)];
  std::erase(me.in_hand, segment);
  --attempts_[static_cast<std::size_t>(segment)];
  aside_.push_back(segment);
  const bool amid_run = !me.run.empty() && me.run.front() > segment;
  if (met_.insert(segment).second && amid_run) {
    const auto middle = static_cast<std::ptrdiff_t>(me.run.size() / 2);
    std::rotate(me.run.begin(), me.run.begin() + middle, me.run.end());
  }
}

bool Scheduler::recall() {
  for (const int segment : aside_) come_back(segment);
  return !std::exchange(aside_, {}).empty();
}

std::vector<int> Scheduler::lost(int rank) {
  ranks_[static_cast<std::size_t>(rank)].gone = true;
  const std::vector<int> undone = ranks_[static_cast<std::size_t>(rank)].in_hand;
  for (const int segment : undone) gave_back(rank, segment);
  return undone;
}

void Scheduler::back(int rank) { ranks_[static_cast<std::size_t>(rank)].gone = false; }

bool Scheduler::is_in_hand(int segment) const {
  return std::any_of(ranks_.begin(), ranks_.end(), [&](const Rank& rank) {
    return std::count(rank.in_hand.begin(), rank.in_hand.end(), segment) > 0;
  });
}

int Scheduler::in_hand() const {
  std::size_t count = 0;
  for (const Rank& rank : ranks_) count += rank.in_hand.size();
  return static_cast<int>(count);
}

}  // namespace vsr::cluster
