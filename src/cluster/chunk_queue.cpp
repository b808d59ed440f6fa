#include "vsr/cluster/chunk_queue.hpp"

#include <algorithm>
#include <utility>

namespace vsr::cluster {

ChunkQueue::ChunkQueue(const std::vector<bool>& done, int ranks, int most_attempts)
    : chunks_(done.size()), ranks_(ranks), most_attempts_(most_attempts) {
  for (std::size_t i = 0; i < done.size(); ++i) chunks_[i].done = done[i];
  remaining_ = static_cast<int>(std::count(done.begin(), done.end(), false));
}

void ChunkQueue::ready(int segment, int rank) {
  if (chunks_.empty() || chunks_.at(static_cast<std::size_t>(segment)).done) return;
  if (in_hand_.count(segment) > 0 || aside_.count(segment) > 0) return;  // made a second time
  ready_[segment] = {.made_by = rank};
}

std::optional<Task> ChunkQueue::next(int rank) {
  auto best = ready_.end();
  for (auto it = ready_.begin(); it != ready_.end(); ++it) {
    // What failed goes elsewhere first, if there is an elsewhere.
    if (ranks_ > 1 && it->second.failed_on == rank) continue;
    if (it->second.made_by == rank) {
      best = it;
      break;
    }
    if (best == ready_.end()) best = it;
  }
  if (best == ready_.end()) return std::nullopt;
  const int segment = best->first;
  in_hand_[segment] = {.rank = rank, .ready = best->second};
  ready_.erase(best);
  return Task{Work::kEncode, segment, ++chunks_[static_cast<std::size_t>(segment)].attempts};
}

std::optional<ChunkQueue::Ready> ChunkQueue::taken_back(int rank, int segment) {
  const auto it = in_hand_.find(segment);
  if (it == in_hand_.end() || it->second.rank != rank) return std::nullopt;
  const Ready ready = it->second.ready;
  in_hand_.erase(it);
  return ready;
}

void ChunkQueue::done(int segment) {
  Chunk& chunk = chunks_.at(static_cast<std::size_t>(segment));
  if (!std::exchange(chunk.done, true)) --remaining_;
  ready_.erase(segment);
  aside_.erase(segment);
}

void ChunkQueue::succeeded(int rank, int segment) {
  taken_back(rank, segment);
  done(segment);
}

bool ChunkQueue::done_elsewhere(int segment) {
  if (chunks_.empty() || chunks_.at(static_cast<std::size_t>(segment)).done ||
      is_in_hand(segment)) {
    return false;
  }
  done(segment);
  return true;
}

bool ChunkQueue::failed(int rank, int segment) {
  auto again = taken_back(rank, segment);
  const Chunk& chunk = chunks_.at(static_cast<std::size_t>(segment));
  if (!again || chunk.done) return true;
  again->failed_on = rank;
  if (chunk.attempts >= most_attempts_) return false;
  ready_[segment] = *again;
  return true;
}

void ChunkQueue::gave_back(int rank, int segment) {
  const auto again = taken_back(rank, segment);
  Chunk& chunk = chunks_.at(static_cast<std::size_t>(segment));
  if (!again || chunk.done) return;
  ready_[segment] = *again;
  --chunk.attempts;
}

void ChunkQueue::set_aside(int rank, int segment) {
  const auto again = taken_back(rank, segment);
  if (!again) return;
  aside_[segment] = *again;
  --chunks_.at(static_cast<std::size_t>(segment)).attempts;
}

bool ChunkQueue::recall() {
  if (aside_.empty()) return false;
  ready_.merge(aside_);
  aside_.clear();
  return true;
}

std::vector<int> ChunkQueue::lost(int rank) {
  if (!lost_.insert(rank).second) return {};
  --ranks_;
  std::vector<int> undone;
  for (const auto& [segment, in_hand] : in_hand_) {
    if (in_hand.rank == rank) undone.push_back(segment);
  }
  for (const int segment : undone) gave_back(rank, segment);
  return undone;
}

void ChunkQueue::back(int rank) {
  if (lost_.erase(rank) > 0) ++ranks_;
}

}  // namespace vsr::cluster
