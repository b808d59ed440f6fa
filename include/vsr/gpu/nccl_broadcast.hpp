// One broadcast of bytes between GPUs, by NCCL. The communicator is made for it and gone after it,
// however it ends: a collective that waits for a peer that is dead would hang the work of a night.
//
// In a build without CUDA everything here throws.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace vsr::gpu {

// Where this process stands in the broadcast.
struct NcclPlace {
  int rank = 0;  // 0: whose bytes they are
  int ranks = 1;
  int device = 0;  // a card of its own: NCCL takes no two ranks of one
};

// What the ranks of one broadcast find each other by; made by one of them (rank 0 best, since the
// others connect to it) and brought to all by other means. Binary, 128 bytes. From then on a thread
// of NCCL's waits in this process for all of them to have come; if one never does, it sleeps until
// the process ends. Throws Error(kGpu) as below.
std::string make_nccl_id();

// Rank 0's `bytes` become everybody's; there are as many of them everywhere. They pass through
// memory of the device of the same size. Throws Error(kGpu): in one line what NCCL said and what
// probably mends it; the bytes of other ranks than 0 are anything then. A rank that fails does not
// tell the others: they run into their own deadlines.
// Threads: any, one at a time. The caller sleeps between looks, `timeout_s` at most; what NCCL does
// before it first returns, and an end by abort, come on top: tenths of a second.
void nccl_broadcast(const std::string& id,
                    const NcclPlace& place,
                    std::span<std::byte> bytes,
                    double timeout_s);

// "2.28.9"; empty without CUDA.
std::string nccl_version();

}  // namespace vsr::gpu
