// What /proc tells of the processes that this one descends from.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace vsr::launcher {

struct Process {
  std::string name;
  pid_t parent = 0;
  pid_t group = 0;
  dev_t terminal = 0;        // that controls it; 0: none
  pid_t in_foreground = -1;  // the group that this terminal is with
};

// Nothing where there is none.
std::optional<Process> process_of(pid_t pid);
// Whether a process of that name is mpirun, by whichever of its names.
bool is_mpirun(const std::string& name);
// The nearest process of such a name that this one descends from; 0: none on this host.
pid_t find_ancestor(const std::function<bool(const std::string& name)>& is_it);

}  // namespace vsr::launcher
