// What ranks say to each other, as bytes. Version 6; told in docs/cluster.md. Private to the room.
#pragma once

#include "vsr/cluster/cluster.hpp"

#include <optional>
#include <string>

namespace vsr::cluster {

enum class Kind : char {
  kAlive = 'v',     // worker -> 0: nothing new
  kReady = 'r',     // worker -> 0: give me the next one to upscale
  kOutcome = 'o',   // worker -> 0: what came of it
  kLeaving = 'l',   // worker -> 0: I was told to stop and work no more
  kFarewell = 'f',  // worker -> 0: I was dismissed and am gone
  kAssign = 'a',    // 0 -> worker: do this
  kStop = 's',      // 0 -> worker: stop (how soon in `level`)
  kDismiss = 'd',   // 0 -> worker: the run is over
};

struct Note {
  Kind kind = Kind::kOutcome;
  Task task;               // kAssign
  int level = 0;           // kStop
  SegmentOutcome outcome;  // kOutcome
};

std::string encode(const Note& note);
// Throws Error(kCluster): ranks of different versions, or a broken message.
Note decode(const std::string& bytes);

}  // namespace vsr::cluster
