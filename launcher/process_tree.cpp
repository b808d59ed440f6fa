#include "process_tree.hpp"

#include "vsr/base/format.hpp"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

namespace vsr::launcher {

namespace {

constexpr int kMostGenerations = 8;  // a rank may be started through scripts

}  // namespace

// Of /proc/PID/stat, "4711 (mpirun) S 4242 ...".
std::optional<Process> process_of(pid_t pid) {
  std::ifstream file(format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const std::size_t open = line.find('(');
  const std::size_t close = line.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 4 > line.size()) {
    return std::nullopt;
  }
  std::istringstream numbers(line.substr(close + 4));  // behind ") S "
  Process found{.name = line.substr(open + 1, close - open - 1)};
  pid_t session = 0;
  unsigned terminal = 0;
  if (!(numbers >> found.parent >> found.group >> session >> terminal >> found.in_foreground)) {
    return std::nullopt;
  }
  found.terminal = makedev(terminal >> 8 & 0xfff, (terminal & 0xff) | (terminal >> 12 & 0xfff00));
  return found;
}

bool is_mpirun(const std::string& name) {
  constexpr std::array<std::string_view, 5> kNames = {
      "mpirun", "mpiexec", "orterun", "prterun", "prun"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

pid_t find_ancestor(const std::function<bool(const std::string& name)>& is_it) {
  pid_t pid = ::getppid();
  for (int i = 0; i < kMostGenerations && pid > 1; ++i) {
    const auto found = process_of(pid);
    if (!found) return 0;
    if (is_it(found->name)) return pid;
    pid = found->parent;
  }
  return 0;
}

}  // namespace vsr::launcher
