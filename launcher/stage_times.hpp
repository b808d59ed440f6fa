// How long the stages of a run will take, measured on rank 0 for --dry-run.
#pragma once

#include "estimate.hpp"
#include "planning.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/run_directory.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// Which segments are still to be upscaled and which to be encoded, by their number.
struct Left {
  std::vector<bool> upscale;
  std::vector<bool> encode;

  static int count(const std::vector<bool>& which) {
    return static_cast<int>(std::count(which.begin(), which.end(), true));
  }
};

// What the ledger of the run lacks; all where there is none.
Left what_is_left(const Job& job,
                  const store::Plan& plan,
                  const std::optional<store::RunDirectory>& run);

// What the times are of.
struct RunAhead {
  const Job& job;
  const Prepared& prepared;
  const std::vector<Resources>& ranks;
  const Left& left;
};

// Both measure what is left of their stage, fill it into `estimate`, and give it in words, or why
// it is not known. `gflop`: of the network, for what is left. Throw Error, kInterrupted as well.
std::string upscaling_text(const RunAhead& run,
                           const model::Checkpoint& checkpoint,
                           const model::UpscalerOptions& options,
                           double gflop,
                           Estimate& estimate);
std::string encoding_text(const RunAhead& run, Estimate& estimate, const std::atomic<int>& stop);

}  // namespace vsr::launcher
