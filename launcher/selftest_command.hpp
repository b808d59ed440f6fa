// `vsr-dist selftest`: the network against golden data, a user's first command on a new machine.
#pragma once

#include "arguments.hpp"

namespace vsr::launcher {

// Prints a line for the output and each intermediate. 0 when all are within tolerance;
// Error(kModel) or Error(kGpu) otherwise.
int run_selftest(const Arguments& arguments);

}  // namespace vsr::launcher
