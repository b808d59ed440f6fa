// --dry-run: the film, the plan, and what they will cost; no work.
#pragma once

#include "arguments.hpp"
#include "signals.hpp"
#include "vsr/cluster/communicator.hpp"

namespace vsr::launcher {

// On rank 0 prints to standard output what all ranks will do; the others tell what they bring and
// wait. Writes nothing. Of a run that was begun it counts what is left. Returns the exit status.
// Throws Error.
int print_dry_run(const Arguments& arguments,
                  cluster::Communicator& communicator,
                  Signals& signals);

}  // namespace vsr::launcher
