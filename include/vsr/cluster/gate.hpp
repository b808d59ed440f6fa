// What a piece of work has to pass before it is handed out, and what the coordinator is told of the
// world outside its ranks: other jobs may work at the same list, and the disk may be full.
#pragma once

#include "vsr/cluster/task.hpp"

#include <vector>

namespace vsr::cluster {

// Threads: the coordinating one, which waits for every answer.
class Gate {
 public:
  virtual ~Gate() = default;

  enum class Answer {
    kYes,             // it is this job's until over(); as often as it is asked
    kTakenElsewhere,  // another job is at it, or was when it died
    kNoRoom,          // the disk does not hold it, now
  };

  // May it be begun?
  virtual Answer ask(const Piece& piece) = 0;
  // It is in hand no more, done or not. `disk_full`: that is why it is not done.
  virtual void over(const Piece& piece, bool disk_full) = 0;
  // What has been committed since the last call, by whomever. Does not wait.
  virtual std::vector<Piece> news() = 0;
  // Whether another job has made the film of all this. Does not wait.
  virtual bool film_made() = 0;

  // Whether another job may be upscaling; asked where none of this one's ranks does. Does not wait.
  virtual bool others_upscale() { return true; }
};

}  // namespace vsr::cluster
