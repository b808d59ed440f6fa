// A piece of work on one segment.
#pragma once

#include <string>

namespace vsr::cluster {

enum class Work : char { kUpscale = 'u', kEncode = 'e' };

// As messages call it: "segment 7", "the chunk of segment 7".
std::string describe(Work work, int segment);

struct Piece {
  Work work = Work::kUpscale;
  int segment = 0;
};

struct Task {
  Work work = Work::kUpscale;
  int segment = 0;
  int attempt = 1;
  int at_once = 1;  // to be encoded: so many chunks at least share the rank's processors
};

}  // namespace vsr::cluster
