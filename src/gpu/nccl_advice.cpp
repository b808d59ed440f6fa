#include "nccl_advice.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <string_view>

namespace vsr::gpu {

namespace {

// What a container has that was given no size, all of which a few pairs of ranks take.
constexpr std::uint64_t kLittleSharedMemory_bytes = 64u << 20;

bool speaks_of(const std::string& said, std::initializer_list<std::string_view> words) {
  std::string lower = said;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return lower.find(word) != std::string::npos;
  });
}

std::string more_shared_memory(std::uint64_t free) {
  return format("/dev/shm has {} MB free: start the container with --shm-size=1g", free >> 20);
}

constexpr const char* kInterface =
    "set NCCL_SOCKET_IFNAME to the network interface by which the ranks reach each other "
    "(NCCL_DEBUG=INFO shows which one was taken)";
constexpr const char* kPeerAccess =
    "if the GPUs have no access to each other's memory, NCCL_P2P_DISABLE=1 does without it "
    "(NCCL_DEBUG=INFO shows more)";

constexpr const char* kTransfer =
    "on one host NCCL_P2P_DISABLE=1 does without access to each other's GPU memory, between hosts "
    "NCCL_SOCKET_IFNAME names the network interface (NCCL_DEBUG=INFO shows more)";

}  // namespace

std::string nccl_advice(const NcclFailure& failure) {
  const std::string& said = failure.said;
  // First what NCCL names, then what follows from how far it came.
  if (speaks_of(said, {"duplicate gpu"})) return "give every rank a GPU of its own";
  if (speaks_of(said, {"mismatched nccl version"})) return "use one build of vsr-dist everywhere";
  if (speaks_of(said, {"shared memory", "/dev/shm"})) {
    return more_shared_memory(failure.shared_memory_bytes);
  }
  // "connection closed by remote peer" is no word on peer access.
  if (speaks_of(said, {"socket", "bootstrap", "interface", "connection"})) return kInterface;
  if (speaks_of(said, {"p2p", "peer", "cudaipc"})) return kPeerAccess;
  if (failure.shared_memory_bytes < kLittleSharedMemory_bytes) {
    return more_shared_memory(failure.shared_memory_bytes);
  }
  if (failure.in_transfer) return kTransfer;
  if (failure.late || failure.system) return kInterface;
  return "NCCL_DEBUG=INFO shows more";
}

}  // namespace vsr::gpu
