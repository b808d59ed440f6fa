#include "vsr/base/host.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

namespace vsr {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<double> number_in(const std::string& path) {
  std::istringstream text(first_line(path));
  double value = 0;
  if (text >> value) return value;
  return std::nullopt;
}

// Folders of the control groups that bind this process, innermost first, for one controller of v1
// or for v2 ("").
std::vector<std::string> cgroup_folders(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  std::string group = "/";
  while (std::getline(file, line)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controller.empty() ? names == ",,"
                           : names.find("," + controller + ",") != std::string::npos) {
      group = line.substr(second + 1);
    }
  }
  const std::string root = controller.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller;
  std::vector<std::string> folders;
  while (true) {
    folders.push_back(root + group);
    if (group.size() <= 1) return folders;
    group.resize(std::max<std::size_t>(group.rfind('/'), 0));
  }
}

double cpu_quota() {
  double least = std::numeric_limits<double>::infinity();
  for (const std::string& folder : cgroup_folders("")) {
    std::istringstream text(first_line(folder + "/cpu.max"));
    double quota = 0;
    double period = 0;
    if (text >> quota >> period && period > 0) least = std::min(least, quota / period);
  }
  for (const std::string& folder : cgroup_folders("cpu")) {
    const auto quota = number_in(folder + "/cpu.cfs_quota_us");
    const auto period = number_in(folder + "/cpu.cfs_period_us");
    if (quota && period && *quota > 0 && *period > 0) least = std::min(least, *quota / *period);
  }
  return least;
}

std::uint64_t cgroup_memory_left() {
  std::uint64_t least = kNoLimit;
  const auto take = [&](const std::string& limit_file, const std::string& used_file) {
    const auto limit = number_in(limit_file);
    const auto used = number_in(used_file);
    if (!limit || *limit > 1e17) return;  // "max", or v1's way of saying so
    const double left = std::max(0.0, *limit - used.value_or(0));
    least = std::min(least, static_cast<std::uint64_t>(left));
  };
  for (const std::string& folder : cgroup_folders("")) {
    take(folder + "/memory.max", folder + "/memory.current");
  }
  for (const std::string& folder : cgroup_folders("memory")) {
    take(folder + "/memory.limit_in_bytes", folder + "/memory.usage_in_bytes");
  }
  return least;
}

std::uint64_t machine_memory_available() {
  std::ifstream file("/proc/meminfo");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream text(line);
    std::string name;
    std::uint64_t kib = 0;
    if (text >> name >> kib && name == "MemAvailable:") return kib * 1024;
  }
  return kNoLimit;
}

}  // namespace

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    cpus = CPU_COUNT(&set);
  } else {
    cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  }
  const double quota = cpu_quota();
  if (quota < cpus) cpus = static_cast<int>(quota);
  return std::max(1, cpus);
}

std::uint64_t usable_memory_bytes() {
  return std::min(machine_memory_available(), cgroup_memory_left());
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace vsr
