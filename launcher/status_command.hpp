// vsr-dist status RUN: how far a run is, be it at work or not.
#pragma once

#include "arguments.hpp"
#include "vsr/status/run_status.hpp"
#include "vsr/store/run_directory.hpp"

#include <vector>

namespace vsr::launcher {

// The status of all jobs that share a run as that of one.
status::RunStatus joined(const std::vector<status::RunStatus>& jobs);

// Of a run that no job has left a status of: by its plan and records. Throws Error(kStorage).
status::RunStatus status_by_ledger(const store::RunDirectory& directory);

// Returns the exit status, 0: it could be told. Throws Error: kUsage where there is no run.
int run_status(const Arguments& arguments);

}  // namespace vsr::launcher
