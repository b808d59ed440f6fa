#include "run_terminal.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/terminal_writer.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace vsr::launcher {

namespace {

constexpr int kMostGenerations = 8;  // a rank may be started through scripts

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_rank() {
  return std::getenv("OMPI_COMM_WORLD_RANK") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

struct Process {
  std::string name;
  pid_t parent = 0;
  pid_t group = 0;
  dev_t terminal = 0;        // that controls it; 0: none
  pid_t in_foreground = -1;  // the group that this terminal is with
};

// Of /proc/PID/stat, "4711 (mpirun) S 4242 ...".
std::optional<Process> process(pid_t pid) {
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

bool starts_ranks(const std::string& name) {
  constexpr std::array<std::string_view, 5> kNames = {
      "mpirun", "mpiexec", "orterun", "prterun", "prun"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// The mpirun that this process descends from; 0: none on this host.
pid_t find_mpirun() {
  pid_t pid = ::getppid();
  for (int i = 0; i < kMostGenerations && pid > 1; ++i) {
    const auto found = process(pid);
    if (!found) return 0;
    if (starts_ranks(found->name)) return pid;
    pid = found->parent;
  }
  return 0;
}

// `pid`: whose stderr it is.
std::unique_ptr<Terminal> terminal_of(pid_t pid) {
  const int descriptor = open_terminal(format("/proc/{}/fd/2", pid));
  if (descriptor < 0) return nullptr;
  auto terminal = std::make_unique<Terminal>(descriptor, pid);
  if (::isatty(descriptor) != 1) return nullptr;
  return terminal;
}

}  // namespace

Terminal::~Terminal() { ::close(descriptor_); }

bool Terminal::in_foreground() const {
  const auto owner = process(owner_);
  if (!owner) return false;
  struct stat device = {};
  const bool controls = ::fstat(descriptor_, &device) == 0 && device.st_rdev == owner->terminal;
  return !controls || owner->in_foreground <= 0 || owner->in_foreground == owner->group;
}

std::unique_ptr<Terminal> find_terminal() {
  if (!terminal_may_draw()) return nullptr;
  const pid_t owner = is_rank() ? find_mpirun() : ::getpid();
  if (owner == 0) return nullptr;
  std::unique_ptr<Terminal> terminal = terminal_of(owner);
  if (!terminal) return nullptr;
  // In the background of a terminal that stops those who write: they are not stopped.
  signal(SIGTTOU, SIG_IGN);
  return terminal->in_foreground() ? std::move(terminal) : nullptr;
}

std::unique_ptr<Terminal> terminal_for(const Arguments& arguments) {
  if (arguments.progress != "auto" || arguments.log_json) return nullptr;
  return find_terminal();
}

bool terminal_may_draw() {
  const std::string_view kind = variable("TERM");
  return !kind.empty() && kind != "dumb";
}

bool terminal_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view locale = variable(name);
    if (locale.empty()) continue;
    return locale.find("UTF-8") != std::string_view::npos ||
           locale.find("utf8") != std::string_view::npos;
  }
  return false;
}

}  // namespace vsr::launcher
