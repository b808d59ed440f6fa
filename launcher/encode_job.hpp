// A job all of whose ranks were started with --role=encode: it joins a run that other jobs share,
// and encodes what these upscale. It plans nothing, needs neither model nor GPU, and waits for
// whatever it lacks for as long as it takes, since jobs that upscale may come late, or again.
#pragma once

#include "last_time.hpp"
#include "resources.hpp"
#include "run_leases.hpp"
#include "status_board.hpp"
#include "status_page.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <vector>

namespace vsr::launcher {

// Refuses one that would have nothing to do, ever, or that asks to start the run over. Throws
// Error(kUsage).
void check_encode_job(const Job& job, const std::vector<Resources>& ranks, bool fresh);

// Waits until another job has planned the run; this one never does, since windows are planned for
// the device that upscales. Says so now and then, on `page` and in the job's status file too.
// Throws Error(kInterrupted) on `stop`.
void wait_for_plan(const store::RunDirectory& directory,
                   const RunLeases& leases,
                   StatusPage& page,
                   const std::atomic<int>& stop);

// Tells the log and the board when nobody upscales what is missing, and when somebody does again.
// Threads: one.
class UpscalerWatch {
 public:
  // Both have to outlive it.
  UpscalerWatch(RunLeases& leases, StatusBoard& board) : leases_(leases), board_(board) {}

  // Whether somebody upscales.
  bool look(int missing_segments);

 private:
  RunLeases& leases_;
  StatusBoard& board_;
  LastTime told_;  // that there is nobody
};

}  // namespace vsr::launcher
