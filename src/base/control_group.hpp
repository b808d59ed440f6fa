// What the control groups that bind this process leave it, by the files of versions 1 and 2.
#pragma once

#include <cstdint>
#include <filesystem>

namespace vsr {

// `root` is "/", or in tests a folder that looks like it: proc/self/cgroup and sys/fs/cgroup are
// read below it. All groups from the process's own up to the topmost count; the least holds.

// Processors; infinite without a quota.
double cgroup_cpus(const std::filesystem::path& root);
// Bytes; the largest value there is without a limit. File pages that the kernel would give up
// before it refuses memory do not count as used: after a film was copied they are most of it.
std::uint64_t cgroup_memory_left(const std::filesystem::path& root);

}  // namespace vsr
