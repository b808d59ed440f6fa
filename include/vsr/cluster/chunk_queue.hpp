// Who encodes which chunk. Arithmetic only, as the scheduler's: no clock, no messages, no files.
//
// A chunk can be encoded once its segment is upscaled. The rank that did that comes first, since
// the mezzanine is in its memory still; else whoever is free takes the earliest, so that the film
// grows from its beginning.
#pragma once

#include "vsr/cluster/task.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace vsr::cluster {

class ChunkQueue {
 public:
  // `done`: chunks to leave out. A chunk may be tried `most_attempts` times in all. `ranks`: how
  // many encode.
  ChunkQueue(const std::vector<bool>& done, int ranks, int most_attempts = 3);

  // The segment is upscaled, by `rank` (-1: in an earlier start). Nothing if its chunk is done.
  void ready(int segment, int rank);
  // What `rank` should encode next; nothing if nothing is ready.
  std::optional<Task> next(int rank);
  // What is said of a chunk that the rank has no more in hand (it was lost meanwhile, and came
  // back) counts as far as it can: done is done.
  void succeeded(int rank, int segment);
  // False when the chunk has no attempts left.
  bool failed(int rank, int segment);
  // Left undone because somebody asked to stop: no attempt.
  void gave_back(int rank, int segment);
  // The rank is gone; what it had in hand (no attempt), which is returned, goes to the others.
  std::vector<int> lost(int rank);
  // A lost rank is there again.
  void back(int rank);
  // Another job is at it: to be left alone until recall(). No attempt.
  void set_aside(int rank, int segment);
  // What was set aside may be handed out again. Whether there was any.
  bool recall();
  // Somebody else has done it. False if that is known, or it is in hand here.
  bool done_elsewhere(int segment);

  int remaining() const { return remaining_; }

  bool is_in_hand(int segment) const { return in_hand_.count(segment) > 0; }

  int in_hand() const { return static_cast<int>(in_hand_.size()); }

 private:
  struct Ready {
    int made_by = -1;
    int failed_on = -1;  // the last rank that it failed on
  };

  struct Chunk {
    bool done = false;
    int attempts = 0;
  };

  struct InHand {
    int rank = 0;
    Ready ready;  // as it was
  };

  // What the rank has in hand of it, which it then has no more.
  std::optional<Ready> taken_back(int rank, int segment);
  void done(int segment);

  std::vector<Chunk> chunks_;
  std::map<int, Ready> ready_;     // by segment: to be handed out
  std::map<int, InHand> in_hand_;  // by segment
  std::map<int, Ready> aside_;     // by segment: another job is at them
  std::set<int> lost_;
  int ranks_;
  int most_attempts_;
  int remaining_ = 0;
};

}  // namespace vsr::cluster
