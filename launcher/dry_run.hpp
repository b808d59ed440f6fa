// --dry-run: the film, the plan, and what they will cost; no work.
#pragma once

#include "arguments.hpp"

namespace vsr::launcher {

// Prints to standard output; writes nothing. Returns the exit status. Throws Error.
int print_dry_run(const Arguments& arguments);

}  // namespace vsr::launcher
