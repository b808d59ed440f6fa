#include "run_terminal.hpp"

#include "process_tree.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/terminal_writer.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace vsr::launcher {

namespace {

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_rank() {
  return std::getenv("OMPI_COMM_WORLD_RANK") != nullptr || std::getenv("PMIX_RANK") != nullptr;
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
  const auto owner = process_of(owner_);
  if (!owner) return false;
  struct stat device = {};
  const bool controls = ::fstat(descriptor_, &device) == 0 && device.st_rdev == owner->terminal;
  return !controls || owner->in_foreground <= 0 || owner->in_foreground == owner->group;
}

std::unique_ptr<Terminal> find_terminal() {
  if (!terminal_may_draw()) return nullptr;
  const pid_t owner = is_rank() ? find_ancestor(is_mpirun) : ::getpid();
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
