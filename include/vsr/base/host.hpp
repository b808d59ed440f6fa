// What this process may use of its machine. On a rented pod the machine shows its host's hundred
// cores while the pod owns a few of them: the control group's quota counts, not what is visible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vsr {

// Processors this process may keep busy: the least of affinity and cgroup quota (v1 and v2), at
// least 1; a quota of 7.6 counts as 7.
int usable_cpus();
// The processors that this process is bound to, ascending (all of the machine's if it is not), by
// the kernel's numbers.
std::vector<int> allowed_processors();
// How many its cgroup's quota keeps busy, of whichever; as many as the machine has at least if
// there is none.
double processors_by_quota();
// Bytes this process may still take: the least of what the machine has available and what the
// cgroup's limit leaves.
std::uint64_t usable_memory_bytes();
std::string host_name();
// For the calling thread, and those that it begins from now on. kToAll: to run only where nobody
// else of this machine wants to; kToMainWork: to come before those, and after all that have not
// yielded.
enum class Yield { kToMainWork, kToAll };
void yield_to_others(Yield yield = Yield::kToAll);
// Now, as "2026-01-31T12:34:56Z".
std::string utc_now();
// So many seconds ago.
std::string utc_before(double seconds);

}  // namespace vsr
