// The main job: plan, segments over the ranks, final films.
#pragma once

#include "arguments.hpp"
#include "signals.hpp"
#include "vsr/cluster/communicator.hpp"

namespace vsr::launcher {

// Returns the exit status of this rank. Throws Error.
int run_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals);

}  // namespace vsr::launcher
