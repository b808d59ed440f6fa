#include "run_terminal.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

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
  const std::size_t parent = close + 4;  // behind ") S "
  const auto number = parse_number<pid_t>(line.substr(parent, line.find(' ', parent) - parent));
  if (!number) return std::nullopt;
  return Process{line.substr(open + 1, close - open - 1), *number};
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

std::unique_ptr<Terminal> open_terminal(const std::string& path) {
  // Never to be this process's own: a hang-up there is none of its business.
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  auto terminal = std::make_unique<Terminal>(descriptor);
  if (::isatty(descriptor) != 1) return nullptr;
  return terminal;
}

}  // namespace

Terminal::~Terminal() { ::close(descriptor_); }

std::unique_ptr<Terminal> find_terminal() {
  if (!terminal_may_draw()) return nullptr;
  std::unique_ptr<Terminal> terminal;
  if (is_rank()) {
    const pid_t mpirun = find_mpirun();
    if (mpirun == 0) return nullptr;
    terminal = open_terminal(format("/proc/{}/fd/2", mpirun));
  } else if (::isatty(STDERR_FILENO) == 1) {
    terminal = std::make_unique<Terminal>(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  }
  // In the background of a terminal that stops those who write: they are not stopped.
  if (terminal) signal(SIGTTOU, SIG_IGN);
  return terminal;
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
