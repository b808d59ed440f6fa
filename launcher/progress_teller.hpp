// What a run's log says of how far the ranks are.
#pragma once

#include "planning.hpp"
#include "vsr/cluster/cluster.hpp"

#include <chrono>
#include <vector>

namespace vsr::launcher {

// Tells how far the ranks are, and how long it will take at the rate until now. Threads: one.
class ProgressTeller {
 public:
  // So many are done before this start (`chunks`: as many as there are segments, if there are to be
  // none); `ranks` must outlive it.
  ProgressTeller(const std::vector<Resources>& ranks, int segments, int chunks)
      : ranks_(ranks), segments_(segments), chunks_(chunks) {}

  void operator()(const cluster::Progress& now);

 private:
  void tell_of_silence(const std::vector<int>& silent, double silence_s);

  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  const std::vector<Resources>& ranks_;
  const int segments_;
  const int chunks_;
  std::vector<int> silent_;
};

}  // namespace vsr::launcher
