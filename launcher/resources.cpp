#include "resources.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/gpu/device.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>
#include <utility>

namespace vsr::launcher {

int cpus_of_rank(int local_size) { return std::max(1, usable_cpus() / local_size); }

Resources own_resources(int local_rank, int local_size, bool encodes_only) {
  Resources resources;
  resources.encodes_only = encodes_only;
  resources.host = host_name();
  resources.cpus = cpus_of_rank(local_size);
  resources.processors = allowed_processors();
  resources.processors_by_quota = processors_by_quota();
  resources.host_bytes = usable_memory_bytes() / static_cast<std::uint64_t>(local_size);
  const int gpus = gpu::device_count();
  if (gpus > 0) {
    const int index = local_rank % gpus;
    // Ranks that share a card share its memory.
    const int sharing = (local_size - index + gpus - 1) / gpus;
    const gpu::DeviceInfo device = gpu::device_info(index);
    resources.gpu = device.name;
    resources.gpu_id = device.id;
    resources.gpu_free_bytes =
        gpu::memory_info(index).free_bytes / static_cast<std::uint64_t>(std::max(1, sharing));
  }
  return resources;
}

void share_processors(std::vector<Resources>& ranks) {
  std::map<std::pair<std::string, int>, int> sharers;  // by host and processor
  for (const Resources& rank : ranks) {
    for (const int processor : rank.processors) ++sharers[{rank.host, processor}];
  }
  std::map<std::string, double> used;  // processors of the host that some rank is bound to
  for (const auto& [host_and_processor, count] : sharers) ++used[host_and_processor.first];
  for (Resources& rank : ranks) {
    double part = 0;
    for (const int processor : rank.processors) part += 1.0 / sharers[{rank.host, processor}];
    // The control group is the host's, whoever is bound to what.
    const double busy = std::min(1.0, rank.processors_by_quota / std::max(1.0, used[rank.host]));
    constexpr double kRounding = 1e-6;
    rank.cpus = std::max(1, static_cast<int>(part * busy + kRounding));
  }
}

std::string encode(const Resources& resources) {
  std::string processors;
  for (const int processor : resources.processors) processors += format(" {}", processor);
  return format("{} {} {} {} {} {}{}\n{}\n{}\n{}",
                resources.cpus,
                resources.host_bytes,
                resources.gpu_free_bytes,
                resources.encodes_only ? 1 : 0,
                resources.processors_by_quota,
                resources.processors.size(),
                processors,
                resources.host,
                resources.gpu,
                resources.gpu_id);
}

Resources decode_resources(const std::string& bytes) {
  std::istringstream text(bytes);
  Resources resources;
  text >> resources.cpus >> resources.host_bytes >> resources.gpu_free_bytes >>
      resources.encodes_only >> resources.processors_by_quota;
  std::size_t processors = 0;
  text >> processors;
  for (int processor = 0; processors > 0 && text >> processor; --processors) {
    resources.processors.push_back(processor);
  }
  if (!text) {
    throw Error(ErrorCode::kCluster, "a rank runs another version of vsr-dist: use one everywhere");
  }
  text.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  std::getline(text, resources.host);
  std::getline(text, resources.gpu);
  std::getline(text, resources.gpu_id);
  return resources;
}

}  // namespace vsr::launcher
