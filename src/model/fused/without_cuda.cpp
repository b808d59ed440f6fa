// Stands in for the fused back end in a build without CUDA.
#include "backends.hpp"
#include "vsr/base/error.hpp"

namespace vsr::model::fused {

std::string why_not(const NetworkShape& /*shape*/,
                    const DeviceSpec& /*device*/,
                    Precision /*precision*/) {
  return "is not in a program built without CUDA";
}

std::unique_ptr<NetworkBackend> make_network(const Checkpoint& /*checkpoint*/,
                                             const NetworkOptions& /*options*/) {
  throw Error(ErrorCode::kInternal, "the fused back end was asked for in a build without CUDA");
}

std::unique_ptr<PictureUpscaler> make_upscaler(const Checkpoint& /*checkpoint*/,
                                               const UpscalerOptions& /*options*/) {
  throw Error(ErrorCode::kInternal, "the fused back end was asked for in a build without CUDA");
}

std::uint64_t window_bytes(const NetworkShape& /*shape*/,
                           const UpscalerOptions& /*options*/,
                           int /*frames*/) {
  throw Error(ErrorCode::kInternal, "the fused back end was asked for in a build without CUDA");
}

std::uint64_t host_bytes(const NetworkShape& /*shape*/,
                         const UpscalerOptions& /*options*/,
                         int /*frames*/) {
  throw Error(ErrorCode::kInternal, "the fused back end was asked for in a build without CUDA");
}

}  // namespace vsr::model::fused
