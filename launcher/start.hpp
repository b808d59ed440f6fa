// What rank 0 tells the others when a run starts.
#pragma once

#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/plan_file.hpp"
#include "weights.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

struct Start {
  Job job;
  store::Plan plan;
  std::vector<cluster::Capacity> capacities;  // by rank
  WeightsOffer weights;
  bool live = false;  // rank 0 has a live block: the others' warnings come to it, and not to stderr
  std::string job_name;  // for names of logs; empty: this job was the first in the run directory
};

std::string encode_start(const Start& start);
// That there will be none; rank 0 tells the user why.
std::string encode_start_failure();
// Nothing when rank 0 failed. Throws Error(kCluster) for what encode_start() did not write.
std::optional<Start> decode_start(const std::string& bytes);

}  // namespace vsr::launcher
