// Who upscales which segment. Arithmetic only: no clock, no messages, no files.
//
// Every rank owns a contiguous run of segments (decoding goes straight on from one to the next). A
// rank that runs dry takes from the end of the run with the most remaining time, by its owner's
// measured rate. The last tenth of the film, which is planned in shorter segments, belongs to
// nobody and comes last, and slow ranks leave the very end to faster ones, so that ranks of unequal
// speed finish together. Failed segments go to another rank before they are given up.
#pragma once

#include "vsr/cluster/task.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <vector>

namespace vsr::cluster {

class Scheduler {
 public:
  // `weights`: work of each segment (its frames). `done`: segments to leave out. `upscales`: which
  // ranks take part. A segment may be tried `most_attempts` times in all.
  Scheduler(std::vector<std::int64_t> weights,
            const std::vector<bool>& done,
            const std::vector<bool>& upscales,
            int most_attempts = 3);
  // All of `ranks` ranks take part.
  Scheduler(std::vector<std::int64_t> weights,
            const std::vector<bool>& done,
            int ranks,
            int most_attempts = 3);

  // What `rank` should do next; nothing if there is nothing left for it now (others may still be at
  // work, and may fail): to be asked again whenever one is done.
  std::optional<Task> next(int rank);
  // What is said of a segment that the rank has no more in hand (it was lost meanwhile, and came
  // back) counts as far as it can: done is done.
  //
  // `seconds`: how long it took, for the rank's rate.
  void succeeded(int rank, int segment, double seconds);
  // False when the segment has no attempts left: the run cannot be completed.
  bool failed(int rank, int segment);
  // Left undone because somebody asked to stop: not counted as an attempt.
  void gave_back(int rank, int segment);
  // The rank is gone: what it had in hand (no attempt either), which is returned, and what it owned
  // go to the others.
  std::vector<int> lost(int rank);
  // A lost rank is there again.
  void back(int rank);
  // Another job is at it: to be left alone until recall(). No attempt. The rank goes on from the
  // middle of its run, since whoever is there before it goes the same way.
  void set_aside(int rank, int segment);
  // What was set aside may be handed out again. Whether there was any.
  bool recall();
  // Somebody else has done it. False if that is known, or it is in hand here.
  bool done_elsewhere(int segment);

  bool all_done() const { return remaining_ == 0; }

  int remaining() const { return remaining_; }

  bool is_in_hand(int segment) const;
  // Segments in hand of some rank.
  int in_hand() const;

 private:
  struct Rank {
    std::deque<int> run;  // owned, not handed out
    std::vector<int> in_hand;
    std::int64_t frames_done = 0;
    double seconds = 0;
    bool gone = false;

    // Frames a second; 0: not known.
    double rate() const { return seconds > 0 ? static_cast<double>(frames_done) / seconds : 0; }
  };

  struct Source {
    std::deque<int>* segments;
    bool from_end;
  };

  std::int64_t weight(int segment) const { return weights_[static_cast<std::size_t>(segment)]; }

  std::ptrdiff_t tail_of(const std::vector<int>& left) const;
  double seconds_left(const Rank& rank) const;
  std::deque<int>::iterator again_for(int rank);
  Source source_for(int rank);
  bool leaves_it_to_others(int rank, int segment) const;
  void come_back(int segment);
  void done(int segment);

  std::vector<std::int64_t> weights_;
  std::vector<bool> done_;           // by segment
  std::vector<int> attempts_;        // by segment
  std::vector<int> last_failed_on_;  // by segment; -1: never
  std::deque<int> again_;            // came back undone, to be handed out first
  std::deque<int> tail_;             // of nobody's run
  std::vector<int> aside_;           // another job is at them
  std::set<int> met_;                // were ever set aside
  std::int64_t unassigned_ = 0;      // frames of what is not handed out
  std::vector<Rank> ranks_;
  int most_attempts_;
  int remaining_ = 0;
};

}  // namespace vsr::cluster
