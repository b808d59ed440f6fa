#include "binding.hpp"

#include "process_tree.hpp"
#include "vsr/base/format.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace vsr::launcher {

namespace {

constexpr const char* kRank = "OMPI_COMM_WORLD_LOCAL_RANK";
// Where somebody has said how to bind; of Open MPI 4 (5 does not tell).
constexpr const char* kAskedFor = "OMPI_MCA_hwloc_base_binding_policy";
// What starts ranks where mpirun itself is not; of Open MPI 4, of 5.
constexpr std::array<std::string_view, 3> kDaemons{"orted", "prte", "prted"};

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

bool starts_ranks(const std::string& name) {
  return is_mpirun(name) || std::ranges::find(kDaemons, name) != kDaemons.end();
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
  const pid_t from = find_ancestor(starts_ranks);
  const auto given = from != 0 ? processors_of(from) : std::nullopt;
  if (given) sched_setaffinity(0, sizeof(*given), &*given);  // else it stays as it is
}

}  // namespace vsr::launcher
