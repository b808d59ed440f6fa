// The main job: plan, segments over the ranks, final films.
#pragma once

#include "arguments.hpp"
#include "signals.hpp"
#include "vsr/cluster/communicator.hpp"
#include "vsr/job/job.hpp"

namespace vsr::launcher {

// The job that file and command line ask for, with its run directory decided. Throws Error(kUsage).
Job job_of(const Arguments& arguments);

// Returns the exit status of this rank. Throws Error.
int run_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals);

// --dry-run: prints film, plan and estimates.
int print_dry_run(const Arguments& arguments);

}  // namespace vsr::launcher
