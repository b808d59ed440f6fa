#include "control_group.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace vsr {

namespace fs = std::filesystem;

namespace {

std::optional<double> number_in(const fs::path& path) {
  std::ifstream file(path);
  double value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

// The value of `name` in a file of lines "name value"; 0 without it.
double entry_of(const fs::path& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  double value = 0;
  while (file >> word >> value) {
    if (word == name) return value;
  }
  return 0;
}

// Folders of the groups that bind this process, innermost first, for one controller of version 1 or
// for version 2 ("").
std::vector<fs::path> folders_of(const fs::path& root, const std::string& controller) {
  std::ifstream file(root / "proc/self/cgroup");
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
  const fs::path top = root / "sys/fs/cgroup" / controller;
  std::vector<fs::path> folders;
  for (fs::path inner = fs::path(group).relative_path(); !inner.empty();
       inner = inner.parent_path()) {
    folders.push_back(top / inner);
  }
  folders.push_back(top);
  return folders;
}

}  // namespace

double cgroup_cpus(const fs::path& root) {
  double least = std::numeric_limits<double>::infinity();
  for (const fs::path& folder : folders_of(root, "")) {
    std::ifstream text(folder / "cpu.max");
    double quota = 0;
    double period = 0;
    if (text >> quota >> period && period > 0) least = std::min(least, quota / period);
  }
  for (const fs::path& folder : folders_of(root, "cpu")) {
    const auto quota = number_in(folder / "cpu.cfs_quota_us");
    const auto period = number_in(folder / "cpu.cfs_period_us");
    if (quota && period && *quota > 0 && *period > 0) least = std::min(least, *quota / *period);
  }
  return least;
}

std::uint64_t cgroup_memory_left(const fs::path& root) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  const auto take = [&](const fs::path& limit_file,
                        const fs::path& used_file,
                        const fs::path& stat_file,
                        const std::string& idle_pages) {
    const auto limit = number_in(limit_file);
    if (!limit || *limit > 1e17) return;  // "max", or version 1's way of saying so
    const double used = number_in(used_file).value_or(0) - entry_of(stat_file, idle_pages);
    const double left = std::clamp(*limit - used, 0.0, *limit);
    least = std::min(least, static_cast<std::uint64_t>(left));
  };
  for (const fs::path& folder : folders_of(root, "")) {
    take(folder / "memory.max", folder / "memory.current", folder / "memory.stat", "inactive_file");
  }
  for (const fs::path& folder : folders_of(root, "memory")) {
    take(folder / "memory.limit_in_bytes",
         folder / "memory.usage_in_bytes",
         folder / "memory.stat",
         "total_inactive_file");
  }
  return least;
}

}  // namespace vsr
