#include "cpu_share.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

namespace vsr::model::reference {

namespace {

int affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int whole(double cpus) { return std::max(1, static_cast<int>(std::ceil(cpus))); }

// 0: no limit there. In a container the process's own cgroup is the root of what it sees.
int quota_cpus() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) {
    return whole(std::strtod(quota.c_str(), nullptr) / period);
  }
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double microseconds = 0;
  if (v1_quota >> microseconds && v1_period >> period && microseconds > 0 && period > 0) {
    return whole(microseconds / period);
  }
  return 0;
}

}  // namespace

int usable_cpus() {
  const int quota = quota_cpus();
  return quota > 0 ? std::min(quota, affinity_cpus()) : affinity_cpus();
}

}  // namespace vsr::model::reference
