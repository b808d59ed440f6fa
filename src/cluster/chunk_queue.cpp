#include "vsr/cluster/chunk_queue.hpp"

#include <algorithm>

namespace vsr::cluster {

ChunkQueue::ChunkQueue(const std::vector<bool>& done, int ranks, int most_attempts)
    : chunks_(done.size()), ranks_(ranks), most_attempts_(most_attempts) {
  for (std::size_t i = 0; i < done.size(); ++i) chunks_[i].done = done[i];
  remaining_ = static_cast<int>(std::count(done.begin(), done.end(), false));
}

void ChunkQueue::ready(int segment, int rank) {
  if (chunks_.empty() || chunks_.at(static_cast<std::size_t>(segment)).done) return;
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

void ChunkQueue::succeeded(int segment) {
  in_hand_.erase(segment);
  chunks_[static_cast<std::size_t>(segment)].done = true;
  --remaining_;
}

bool ChunkQueue::failed(int rank, int segment) {
  Ready again = in_hand_.at(segment).ready;
  again.failed_on = rank;
  in_hand_.erase(segment);
  if (chunks_[static_cast<std::size_t>(segment)].attempts >= most_attempts_) return false;
  ready_[segment] = again;
  return true;
}

void ChunkQueue::gave_back(int segment) {
  ready_[segment] = in_hand_.at(segment).ready;
  in_hand_.erase(segment);
  --chunks_[static_cast<std::size_t>(segment)].attempts;
}

int ChunkQueue::in_hand(int rank) const {
  return static_cast<int>(std::count_if(in_hand_.begin(), in_hand_.end(), [&](const auto& each) {
    return each.second.rank == rank;
  }));
}

void ChunkQueue::lost(int rank) {
  --ranks_;
  std::vector<int> undone;
  for (const auto& [segment, in_hand] : in_hand_) {
    if (in_hand.rank == rank) undone.push_back(segment);
  }
  for (const int segment : undone) gave_back(segment);
}

}  // namespace vsr::cluster
