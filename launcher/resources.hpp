// What ranks bring to a run: their part of a host's processors and memory, and a GPU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vsr::launcher {

// What a rank brings; told to rank 0 before the plan is made.
struct Resources {
  std::string host;
  int cpus = 1;                  // this rank's share
  std::uint64_t host_bytes = 0;  // likewise
  std::string gpu;               // empty: none
  std::string gpu_id;            // the card itself: two ranks of one have the same
  std::uint64_t gpu_free_bytes = 0;
  bool encodes_only = false;       // by its command line
  std::vector<int> processors;     // that it is bound to, by the kernel's numbers
  double processors_by_quota = 0;  // that its control group keeps busy, of whichever
};

// The processors that are one rank's of so many on this host.
int cpus_of_rank(int local_size);
Resources own_resources(int local_rank, int local_size, bool encodes_only = false);
std::string encode(const Resources& resources);
Resources decode_resources(const std::string& bytes);
// Gives each of these ranks its own part of its host: a processor that several ranks of a host are
// bound to is shared by them. So it does not matter whether mpirun binds ranks (--bind-to numa) or
// not.
void share_processors(std::vector<Resources>& ranks);

}  // namespace vsr::launcher
