#include "vsr/model/network.hpp"

#include "generator.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/replication_pad2d.h>
#include <ATen/ops/stack.h>

#include <vector>

namespace vsr::model {

struct Network::Impl {
  reference::Compute compute;
  reference::Generator generator;

  Impl(const Checkpoint& checkpoint, const NetworkOptions& options)
      : compute(reference::make_compute(options.device, options.precision, options.cpu_threads)),
        generator(reference::guarded(compute, "cannot load the network's weights", [&] {
          return reference::Generator(checkpoint, compute);
        })) {}
};

namespace {

Tensor to_host(const at::Tensor& tensor) {
  const at::Tensor host = tensor.to(at::kCPU).to(at::kFloat).contiguous();
  const float* values = host.data_ptr<float>();
  return {host.sizes().vec(), std::vector<float>(values, values + host.numel())};
}

}  // namespace

Network::Network(const Checkpoint& checkpoint, const NetworkOptions& options)
    : impl_(std::make_unique<Impl>(checkpoint, options)) {}

Network::~Network() = default;
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;

Tensor Network::forward(const Tensor& frames, Intermediates* intermediates) {
  const auto& size = frames.shape;
  if (size.size() != 4 || size[0] < 1 || size[1] != 3 || size[2] < 1 || size[3] < 1 ||
      static_cast<std::int64_t>(frames.values.size()) != size[0] * 3 * size[2] * size[3]) {
    throw Error(ErrorCode::kInternal, "the network takes frames as (T, 3, H, W)");
  }
  const std::int64_t height = size[2];
  const std::int64_t width = size[3];
  reference::Generator& generator = impl_->generator;
  const std::int64_t pad_y = generator.padded(height) - height;
  const std::int64_t pad_x = generator.padded(width) - width;
  const int scale = generator.shape().scale();
  return reference::guarded(
      impl_->compute, format("a window of {} frames of {}x{}", size[0], width, height), [&] {
        std::vector<at::Tensor> window;
        for (std::int64_t t = 0; t < size[0]; ++t) {
          auto* values = const_cast<float*>(frames.values.data()) + t * 3 * height * width;
          at::Tensor frame = at::from_blob(values, {1, 3, height, width}, at::kFloat);
          if (pad_y + pad_x > 0) frame = at::replication_pad2d(frame, {0, pad_x, 0, pad_y});
          window.push_back(frame.to(impl_->compute.device));
        }
        std::vector<at::Tensor> pictures;
        reference::Trace trace;
        generator.run(
            window,
            {0, size[0]},
            [&](std::int64_t, const at::Tensor& picture) {
              pictures.push_back(
                  picture[0].narrow(1, 0, height * scale).narrow(2, 0, width * scale).to(at::kCPU));
            },
            intermediates != nullptr ? &trace : nullptr);
        if (intermediates != nullptr) {
          intermediates->clear();
          for (const auto& [name, maps] : trace) {
            std::vector<at::Tensor> flat;
            flat.reserve(maps.size());
            for (const at::Tensor& map : maps) flat.push_back(map[0]);
            intermediates->emplace(name, to_host(at::stack(flat)));
          }
        }
        return to_host(at::stack(pictures));
      });
}

std::map<std::string, double> Network::seconds_by_part() const {
  return impl_->generator.seconds();
}

}  // namespace vsr::model
