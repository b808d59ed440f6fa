#include "vsr/model/network.hpp"

#include "backends.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <utility>

namespace vsr::model {

Backend choose_backend(Backend asked,
                       const NetworkShape& shape,
                       const DeviceSpec& device,
                       Precision precision) {
  if (asked == Backend::kReference) return asked;
  const std::string why_not = fused::why_not(shape, device, precision);
  if (why_not.empty()) return Backend::kFused;
  if (asked == Backend::kAuto) return Backend::kReference;
  throw Error(ErrorCode::kModel,
              format("the fused back end {}; set model.backend = auto or reference", why_not));
}

struct Network::Impl {
  std::unique_ptr<NetworkBackend> backend;
};

Network::Network(const Checkpoint& checkpoint, const NetworkOptions& options)
    : impl_(std::make_unique<Impl>()) {
  const Backend backend =
      choose_backend(options.backend, checkpoint.shape(), options.device, options.precision);
  impl_->backend = backend == Backend::kFused ? fused::make_network(checkpoint, options)
                                              : reference::make_network(checkpoint, options);
}

Network::~Network() = default;
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;

Tensor Network::forward(const Tensor& frames, Intermediates* intermediates) {
  const auto& size = frames.shape;
  if (size.size() != 4 || size[0] < 1 || size[1] != 3 || size[2] < 1 || size[3] < 1 ||
      static_cast<std::int64_t>(frames.values.size()) != size[0] * 3 * size[2] * size[3]) {
    throw Error(ErrorCode::kInternal, "the network takes frames as (T, 3, H, W)");
  }
  return impl_->backend->forward(frames, intermediates);
}

std::map<std::string, double> Network::seconds_by_part() const {
  return impl_->backend->seconds_by_part();
}

}  // namespace vsr::model
