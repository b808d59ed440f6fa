// Weights on their way from the checkpoint to the device.
#include "ops.hpp"
#include "vsr/base/format.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

namespace vsr::model::reference {

WeightLoader::WeightLoader(const Checkpoint& checkpoint, const Compute& compute)
    : checkpoint_(checkpoint), compute_(compute) {}

at::Tensor WeightLoader::tensor(const std::string& key) const {
  const Tensor& stored = checkpoint_.tensor(key);
  // from_blob takes mutable memory; the clone below is what is kept.
  auto* values = const_cast<float*>(stored.values.data());
  return at::from_blob(values, stored.shape, at::kFloat).clone().to(compute_.device);
}

Conv WeightLoader::to_device(const at::Tensor& weight, const at::Tensor& bias, int stride) const {
  return {weight.to(compute_.type).contiguous(at::MemoryFormat::ChannelsLast),
          bias.to(compute_.type).contiguous(),
          stride};
}

Conv WeightLoader::conv(const std::string& key, int stride) const {
  return to_device(tensor(key + ".weight"), tensor(key + ".bias"), stride);
}

Conv WeightLoader::conv_before_shuffle(const std::string& key) const {
  // Channel 4j + 2dy + dx goes to (2dy + dx) * k + j.
  const at::Tensor weight = tensor(key + ".weight");
  const at::Tensor bias = tensor(key + ".bias");
  const std::int64_t k = weight.size(0) / 4;
  const auto reordered = weight.view({k, 4, weight.size(1), weight.size(2), weight.size(3)})
                             .transpose(0, 1)
                             .reshape(weight.sizes());
  return to_device(reordered, bias.view({k, 4}).transpose(0, 1).reshape({-1}), 1);
}

ResidualBlocks WeightLoader::residual_blocks(const std::string& key, int blocks) const {
  ResidualBlocks made{conv(key + ".main.0"), {}};
  for (int i = 0; i < blocks; ++i) {
    const std::string block = format("{}.main.2.{}", key, i);
    made.blocks.push_back({conv(block + ".conv1"), conv(block + ".conv2")});
  }
  return made;
}

DeformConv WeightLoader::deform(const std::string& key) const {
  const at::Tensor weight = tensor(key + ".weight");  // (c, 2c, 3, 3)
  const at::Tensor columns = weight.permute({0, 2, 3, 1}).reshape({weight.size(0), -1, 1, 1});
  return {to_device(columns, tensor(key + ".bias"), 1)};
}

}  // namespace vsr::model::reference
