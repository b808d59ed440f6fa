// What a back end has to give: an implementation of Network and one of Upscaler. The front
// (network.cpp, upscaler.cpp) chooses one at construction and passes every call on.
#pragma once

#include "vsr/base/backend.hpp"
#include "vsr/model/network.hpp"
#include "vsr/model/upscaler.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace vsr::model {

class NetworkBackend {
 public:
  virtual ~NetworkBackend() = default;
  virtual Tensor forward(const Tensor& frames, Intermediates* intermediates) = 0;

  virtual std::map<std::string, double> seconds_by_part() const { return {}; }
};

// The picture that an upscaler gives. Throws Error(kModel) for one that cannot be.
PictureFormat output_format_of(const UpscalerOptions& options, int scale);

// kReference or kFused: what `asked` comes to for this network. Throws Error(kModel) when kFused
// was asked for and cannot be.
Backend choose_backend(Backend asked,
                       const NetworkShape& shape,
                       const DeviceSpec& device,
                       Precision precision);

namespace reference {

std::unique_ptr<NetworkBackend> make_network(const Checkpoint& checkpoint,
                                             const NetworkOptions& options);
std::unique_ptr<PictureUpscaler> make_upscaler(const Checkpoint& checkpoint,
                                               const UpscalerOptions& options);
std::uint64_t window_bytes(const NetworkShape& shape, const UpscalerOptions& options, int frames);

}  // namespace reference

namespace fused {

// Why the fused back end does not have this network; empty where it does.
std::string why_not(const NetworkShape& shape, const DeviceSpec& device, Precision precision);
std::unique_ptr<NetworkBackend> make_network(const Checkpoint& checkpoint,
                                             const NetworkOptions& options);
std::unique_ptr<PictureUpscaler> make_upscaler(const Checkpoint& checkpoint,
                                               const UpscalerOptions& options);
std::uint64_t window_bytes(const NetworkShape& shape, const UpscalerOptions& options, int frames);
std::uint64_t host_bytes(const NetworkShape& shape, const UpscalerOptions& options, int frames);

}  // namespace fused

}  // namespace vsr::model
