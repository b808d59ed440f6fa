#include "backends.hpp"
#include "generator.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/replication_pad2d.h>
#include <ATen/ops/stack.h>

#include <vector>

namespace vsr::model::reference {

namespace {

Tensor to_host(const at::Tensor& tensor) {
  const at::Tensor host = tensor.to(at::kCPU).to(at::kFloat).contiguous();
  const float* values = host.data_ptr<float>();
  return {host.sizes().vec(), std::vector<float>(values, values + host.numel())};
}

class ReferenceNetwork final : public NetworkBackend {
 public:
  ReferenceNetwork(const Checkpoint& checkpoint, const NetworkOptions& options)
      : compute_(make_compute(options.device, options.precision, options.cpu_threads)),
        generator_(guarded(compute_, "cannot load the network's weights", [&] {
          return Generator(checkpoint, compute_);
        })) {}

  Tensor forward(const Tensor& frames, Intermediates* intermediates) override;

  std::map<std::string, double> seconds_by_part() const override { return generator_.seconds(); }

 private:
  Compute compute_;
  Generator generator_;
};

Tensor ReferenceNetwork::forward(const Tensor& frames, Intermediates* intermediates) {
  const auto& size = frames.shape;
  const std::int64_t height = size[2];
  const std::int64_t width = size[3];
  const std::int64_t pad_y = generator_.padded(height) - height;
  const std::int64_t pad_x = generator_.padded(width) - width;
  const int scale = generator_.shape().scale();
  return guarded(compute_, format("a window of {} frames of {}x{}", size[0], width, height), [&] {
    std::vector<at::Tensor> window;
    for (std::int64_t t = 0; t < size[0]; ++t) {
      auto* values = const_cast<float*>(frames.values.data()) + t * 3 * height * width;
      at::Tensor frame = at::from_blob(values, {1, 3, height, width}, at::kFloat);
      if (pad_y + pad_x > 0) frame = at::replication_pad2d(frame, {0, pad_x, 0, pad_y});
      window.push_back(frame.to(compute_.device));
    }
    std::vector<at::Tensor> pictures;
    Trace trace;
    generator_.run(
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

}  // namespace

std::unique_ptr<NetworkBackend> make_network(const Checkpoint& checkpoint,
                                             const NetworkOptions& options) {
  return std::make_unique<ReferenceNetwork>(checkpoint, options);
}

}  // namespace vsr::model::reference
