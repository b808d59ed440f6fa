// vsr-dist report RUN: the page that tells how a run went, or goes.
#pragma once

#include "arguments.hpp"

namespace vsr::launcher {

// Returns the exit status. Throws Error: kUsage where no run is, or something that is no report
// where the page is to go, unless `force`; kStorage where the run cannot be read or the page not
// written.
int run_report(const Arguments& arguments);

}  // namespace vsr::launcher
