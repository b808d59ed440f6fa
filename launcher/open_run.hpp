// Rank 0 opens a run: everything that has to be right, and everything that one job at a time does,
// before the first segment.
#pragma once

#include "ledger.hpp"
#include "planning.hpp"
#include "run_leases.hpp"
#include "status_page.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/run_directory.hpp"
#include "weights.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// An open run, as rank 0 leads it.
struct Lead {
  std::vector<Resources> ranks;
  Job job;
  store::RunDirectory directory;
  std::unique_ptr<store::RunLock> lock;
  std::unique_ptr<RunLeases> leases;
  std::string job_name;  // empty: this job was the first here
  Prepared prepared;
  std::vector<cluster::Capacity> capacities;  // by rank
  Weights weights;                            // where ranks are given them
  Pieces segments;
  std::optional<Pieces> chunks;                 // if the film is made of such
  std::unique_ptr<cluster::FileService> files;  // for ranks that see none of this; null: all do

  // What the film is joined or encoded from.
  const Pieces& film() const { return chunks ? *chunks : segments; }
};

// Waits for other jobs that are planning in the same run directory, and joins those at work there.
// A job that only encodes waits until there is a plan, and tells so on `page`.
// `fresh`: a run that is there already is moved aside.
// Throws Error: kUsage naming what differs where the directory holds a run of something else, or
// jobs at work would make another film of it.
Lead open_run(Job job,
              bool fresh,
              std::vector<Resources> ranks,
              StatusPage& page,
              const std::atomic<int>& stop);

// Tells the log what is to be done.
void introduce(const Lead& lead);

}  // namespace vsr::launcher
