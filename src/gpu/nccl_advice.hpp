// What a failure of NCCL probably comes from, told by what can be seen of it.
#pragma once

#include <cstdint>
#include <string>

namespace vsr::gpu {

struct NcclFailure {
  std::string said;                       // NCCL's own words
  bool late = false;                      // nothing had come of it at the deadline
  bool in_transfer = false;               // the ranks had found each other
  bool system = false;                    // a call to the system failed, or a peer is gone
  std::uint64_t shared_memory_bytes = 0;  // free in /dev/shm
};

// What to do, as the end of a message: "set NCCL_SOCKET_IFNAME to ...".
std::string nccl_advice(const NcclFailure& failure);

}  // namespace vsr::gpu
