// Who watches a list being worked off, for a display. On rank 0.
#pragma once

#include "vsr/cluster/task.hpp"

#include <string>

namespace vsr::cluster {

// Threads: all calls by the coordinating one, which waits for each.
class Watcher {
 public:
  virtual ~Watcher() = default;

  // The rank has it in hand from now on.
  virtual void begun(int rank, const Task& task) = 0;
  // The rank has it in hand no more. `done`: it is committed; else somebody may begin it again.
  virtual void over(int rank, const Piece& piece, bool done) = 0;
  // Another job has committed it.
  virtual void made_elsewhere(const Piece& piece) = 0;
  // What the rank tells of itself, as its serve() was told to.
  virtual void said(int rank, const std::string& status) = 0;
  // The rank works no more.
  virtual void left(int rank) = 0;
  // Whether the disk has no room for more.
  virtual void waits_for_room(bool waits) = 0;
};

}  // namespace vsr::cluster
