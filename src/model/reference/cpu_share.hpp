// How many processors this process may really use.
#pragma once

namespace vsr::model::reference {

// The least of the affinity mask and the cgroup's quota (v2 and v1), at least 1: a rented pod sees
// its host's 128 cores and owns 16.
int usable_cpus();

}  // namespace vsr::model::reference
