#include "binding.hpp"

#include "vsr/base/format.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace vsr::launcher {

namespace {

constexpr const char* kRank = "OMPI_COMM_WORLD_LOCAL_RANK";
// Where somebody has said how to bind; of Open MPI 4 (5 does not tell).
constexpr const char* kAskedFor = "OMPI_MCA_hwloc_base_binding_policy";
// What starts ranks, on mpirun's own host and on others; of Open MPI 4, of 5.
constexpr std::array<std::string_view, 5> kStarters{"mpirun", "orted", "prterun", "prte", "prted"};
constexpr int kMostShells = 8;  // between it and a rank

std::optional<cpu_set_t> processors_of(pid_t process) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(process, sizeof(set), &set) != 0) return std::nullopt;
  return set;
}

std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "PID (NAME) STATE PARENT ..."; a name may have anything in it.
pid_t parent_of(pid_t process) {
  const std::string line = line_of(format("/proc/{}/stat", process));
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(line.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

std::optional<pid_t> starter() {
  pid_t process = getppid();
  for (int i = 0; i < kMostShells && process > 1; ++i) {
    const std::string name = line_of(format("/proc/{}/comm", process));
    if (std::ranges::find(kStarters, name) != kStarters.end()) return process;
    process = parent_of(process);
  }
  return std::nullopt;
}

// A core may be several processors: "0,64" or "0-1".
bool is_one_core(const cpu_set_t& set) {
  std::string core;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    const std::string siblings =
        line_of(format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    if (siblings.empty()) return CPU_COUNT(&set) == 1;
    if (!core.empty() && siblings != core) return false;
    core = siblings;
  }
  return true;
}

}  // namespace

void leave_single_core() {
  if (std::getenv(kRank) == nullptr || std::getenv(kAskedFor) != nullptr) return;
  const auto own = processors_of(0);
  if (!own || !is_one_core(*own)) return;
  const auto from = starter();
  const auto given = from ? processors_of(*from) : std::nullopt;
  if (given) sched_setaffinity(0, sizeof(*given), &*given);  // else it stays as it is
}

}  // namespace vsr::launcher
