#include "vsr/gpu/nccl_broadcast.hpp"

#include "vsr/base/error.hpp"

namespace vsr::gpu {

std::string make_nccl_id() { throw Error(ErrorCode::kGpu, "no NCCL: built without CUDA"); }

void nccl_broadcast(const std::string& /*id*/,
                    const NcclPlace& /*place*/,
                    std::span<std::byte> /*bytes*/,
                    double /*timeout_s*/) {
  throw Error(ErrorCode::kGpu, "no NCCL: built without CUDA");
}

std::string nccl_version() { return ""; }

}  // namespace vsr::gpu
