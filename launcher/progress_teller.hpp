// What a run's log says of how far the ranks are.
#pragma once

#include "planning.hpp"
#include "vsr/cluster/cluster.hpp"

#include <string>
#include <vector>

namespace vsr::launcher {

// "32 of 120 segments, 11 encoded; about 5 h 10 min left, by the encoders (2.1 fps against 61 of
// upscaling): twice the cores would halve it". What limits stands there only where one stage needs
// clearly longer than the other, by the rates of this run. `encode_follows`: the film is encoded
// when all is upscaled, which is not counted.
std::string progress_text(const cluster::Progress& now, bool encode_follows);

// How long it will take, in seconds, by the rates of this run; -1: not known.
double seconds_left(const cluster::Progress& now, bool encode_follows);
// "by the encoders (2.1 fps against 61 of upscaling): twice ..."; empty where nothing limits.
std::string limit_of(const cluster::Progress& now, bool encode_follows);

// Tells how far the ranks are, and how long it will take at the rate until now. Threads: one.
class ProgressTeller {
 public:
  // `ranks` must outlive it.
  ProgressTeller(const std::vector<Resources>& ranks, bool encode_follows)
      : ranks_(ranks), encode_follows_(encode_follows) {}

  void operator()(const cluster::Progress& now);

 private:
  void tell_of_silence(const std::vector<int>& silent, double silence_s);

  const std::vector<Resources>& ranks_;
  const bool encode_follows_;
  std::vector<int> silent_;
};

}  // namespace vsr::launcher
