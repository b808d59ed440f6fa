#include "vsr/base/host.hpp"

#include "control_group.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <limits>
#include <sstream>

namespace vsr {

namespace {

std::uint64_t machine_memory_available() {
  std::ifstream file("/proc/meminfo");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream text(line);
    std::string name;
    std::uint64_t kib = 0;
    if (text >> name >> kib && name == "MemAvailable:") return kib * 1024;
  }
  return std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

void yield_to_others(Yield yield) {
  const int nice = yield == Yield::kToAll ? 10 : 5;
  setpriority(PRIO_PROCESS, 0, nice);  // on Linux: of the thread; more is never refused
}

std::vector<int> allowed_processors() {
  std::vector<int> allowed;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) allowed.push_back(cpu);
    }
  } else {
    for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); ++cpu) allowed.push_back(cpu);
  }
  return allowed;
}

double processors_by_quota() {
  constexpr double kNone = 1e6;  // a number that travels as text
  return std::min(cgroup_cpus("/"), kNone);
}

int usable_cpus() {
  const auto allowed = static_cast<double>(allowed_processors().size());
  return std::max(1, static_cast<int>(std::min(allowed, processors_by_quota())));
}

std::uint64_t usable_memory_bytes() {
  return std::min(machine_memory_available(), cgroup_memory_left("/"));
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string utc_now() { return utc_before(0); }

std::string utc_before(double seconds) {
  const auto ago = std::chrono::duration_cast<std::chrono::system_clock::duration>(
      std::chrono::duration<double>(seconds));
  const std::time_t then =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() - ago);
  std::tm parts{};
  gmtime_r(&then, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace vsr
