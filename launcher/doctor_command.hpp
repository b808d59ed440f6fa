// `vsr-dist doctor`: what this machine, or every host of an mpirun, gives a run; the first command
// on a rented pod.
#pragma once

#include "arguments.hpp"
#include "signals.hpp"
#include "vsr/cluster/communicator.hpp"

namespace vsr::launcher {

// Every rank looks at its own things; rank 0 prints. Returns the exit status: 0, or that of the
// first failure. Throws Error for what stands before any check: the command line, the job file.
int run_doctor(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals);

}  // namespace vsr::launcher
