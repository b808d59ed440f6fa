#include "process.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>

namespace vsr::store {

namespace {

struct Status {
  char state = '?';
  std::uint64_t start_ticks = 0;
};

std::optional<Status> status_of(std::int64_t pid) {
  std::ifstream file(format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // "4711 (any name, (brackets) too) S 1 ...": the state is field 3, the start field 22.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  Status status;
  fields >> status.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  if (!(fields >> status.start_ticks)) return std::nullopt;
  return status;
}

std::string link_target(const char* path) {
  std::array<char, 64> target{};
  const ssize_t length = ::readlink(path, target.data(), target.size());
  return {target.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
}

std::string this_place() {
  // A /proc of another PID namespace would speak of other processes.
  if (link_target("/proc/self") != format("{}", ::getpid())) return "-";
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  file >> boot;
  const std::string pids = link_target("/proc/self/ns/pid");  // "pid:[4026531836]"
  const auto open = pids.find('[');
  if (boot.empty() || open == std::string::npos || pids.back() != ']') return "-";
  return format("{}:{}", boot, pids.substr(open + 1, pids.size() - open - 2));
}

}  // namespace

Process this_process() {
  Process process;
  process.pid = ::getpid();
  if (const auto status = status_of(process.pid)) {
    process.start_ticks = status->start_ticks;
    process.place = this_place();
  }
  return process;
}

bool is_dead(const Process& process) {
  if (process.place == "-" || process.place != this_place() || process.pid <= 0) return false;
  if (::kill(static_cast<pid_t>(process.pid), 0) != 0 && errno == ESRCH) return true;
  const auto status = status_of(process.pid);
  if (!status) return false;  // hidden from us (mounted with hidepid), or gone just now
  return status->state == 'Z' || status->state == 'X' || status->start_ticks != process.start_ticks;
}

}  // namespace vsr::store
