#include "checkpoint/network_keys.hpp"

#include "checkpoint/refusal.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace vsr::model {

namespace {

using Shape = std::vector<std::int64_t>;
using Tensors = std::map<std::string, Shape>;

// Branches of the propagation in the order in which they run.
constexpr std::array<const char*, 4> kBranches = {
    "backward_1", "forward_1", "backward_2", "forward_2"};
constexpr std::string_view kBlocks = "backbone.backward_1.main.2.";
constexpr std::string_view kTrunk = "backbone.backward_1.main.0.weight";
constexpr std::string_view kFullResolution = "feat_extract.0.weight";
constexpr std::string_view kLowResolution = "feat_extract.main.0.weight";
// Wider and deeper than anything trained; keeps the arithmetic on shapes far from its limits.
constexpr std::int64_t kMostChannels = 4096;
constexpr std::size_t kMostBlocks = 1000;
constexpr std::int64_t kDeformGroups = 16;
constexpr int kFeatureBlocks = 5;  // of the feature extraction and the reconstruction
constexpr int kFlowLevels = 6;

class TensorList {
 public:
  // A convolution with bias.
  void conv(const std::string& key, std::int64_t out, std::int64_t in, std::int64_t kernel = 3) {
    tensors_[key + ".weight"] = {out, in, kernel, kernel};
    tensors_[key + ".bias"] = {out};
  }

  // A convolution, then residual blocks.
  void residual(const std::string& key, std::int64_t in, std::int64_t channels, int blocks) {
    conv(key + ".main.0", channels, in);
    for (int block = 0; block < blocks; ++block) {
      const std::string name = format("{}.main.2.{}", key, block);
      conv(name + ".conv1", channels, channels);
      conv(name + ".conv2", channels, channels);
    }
  }

  void add(const std::string& key, Shape shape) { tensors_[key] = std::move(shape); }

  Tensors take() { return std::move(tensors_); }

 private:
  Tensors tensors_;
};

void add_flow(TensorList& list) {
  list.add("spynet.mean", {1, 3, 1, 1});
  list.add("spynet.std", {1, 3, 1, 1});
  constexpr std::array<std::int64_t, 6> kChannels = {8, 32, 64, 32, 16, 2};
  for (int level = 0; level < kFlowLevels; ++level) {
    for (std::size_t layer = 0; layer + 1 < kChannels.size(); ++layer) {
      list.conv(format("spynet.basic_module.{}.basic_module.{}.conv", level, layer),
                kChannels[layer + 1],
                kChannels[layer],
                7);
    }
  }
}

std::string_view without(std::string_view prefix, std::string_view name) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

// Parts of a training that change nothing in what its generator computes.
bool is_training_only(std::string_view key) {
  constexpr std::array<std::string_view, 3> kModules = {
      "discriminator.", "perceptual_loss.", "gan_loss."};
  return key == "step_counter" || std::any_of(kModules.begin(), kModules.end(), [&](auto module) {
           return key.starts_with(module);
         });
}

std::string more(std::size_t count) {
  return count > 1 ? format(" (and {} more)", count - 1) : std::string();
}

std::string to_text(const Shape& shape) {
  std::string text = "(";
  for (const std::int64_t size : shape) text += format("{}{}", text.size() > 1 ? "," : "", size);
  return text + ")";
}

}  // namespace

Tensors network_tensors(const NetworkShape& shape) {
  const std::int64_t c = shape.mid_channels;
  constexpr std::int64_t kLastChannels = 64;  // whatever c is
  TensorList list;
  add_flow(list);
  if (shape.low_res_input) {
    list.residual("feat_extract", 3, c, kFeatureBlocks);
  } else {
    list.conv("feat_extract.0", c, 3);
    list.conv("feat_extract.2", c, c);
    list.residual("feat_extract.4", c, c, kFeatureBlocks);
  }
  for (std::size_t q = 0; q < kBranches.size(); ++q) {
    const std::string align = format("deform_align.{}", kBranches[q]);
    list.conv(align, c, 2 * c);
    list.conv(align + ".conv_offset.0", c, 3 * c + 4);
    list.conv(align + ".conv_offset.2", c, c);
    list.conv(align + ".conv_offset.4", c, c);
    list.conv(align + ".conv_offset.6", 27 * kDeformGroups, c);
    list.residual(format("backbone.{}", kBranches[q]),
                  (2 + static_cast<std::int64_t>(q)) * c,
                  c,
                  shape.num_blocks);
  }
  list.residual("reconstruction", 5 * c, c, kFeatureBlocks);
  list.conv("upsample1.upsample_conv", 4 * c, c);
  list.conv("upsample2.upsample_conv", 4 * kLastChannels, c);
  list.conv("conv_hr", kLastChannels, kLastChannels);
  list.conv("conv_last", 3, kLastChannels);
  return list.take();
}

NetworkIndex network_tensors_in(const TensorIndex& index) {
  constexpr std::string_view kModule = "module.";
  constexpr std::array<std::string_view, 2> kGenerators = {"generator_ema.", "generator."};
  std::array<bool, 2> there{};
  for (const auto& [name, tensor] : index) {
    for (std::size_t i = 0; i < kGenerators.size(); ++i) {
      there[i] = there[i] || without(kModule, name).starts_with(kGenerators[i]);
    }
  }
  const bool prefixed = there[0] || there[1];
  const std::string_view prefix = there[0] ? kGenerators[0] : kGenerators[1];
  if (there[0] && there[1]) {
    log::info("model", "the file has generator and generator_ema; generator_ema is taken");
  }
  NetworkIndex network;
  for (const auto& [name, tensor] : index) {
    std::string_view key = without(kModule, name);
    if (is_training_only(key)) continue;
    if (prefixed && !key.starts_with(prefix)) {
      if (there[0] && key.starts_with(kGenerators[1])) continue;
      refuse(format("unknown key {}, outside {}", in_quotes(name), in_quotes(prefix)));
    }
    if (prefixed) key = key.substr(prefix.size());
    if (!network.emplace(key, NamedTensor{name, &tensor}).second) {
      refuse(format("ambiguous: key {} is there with and without 'module.'", in_quotes(key)));
    }
  }
  return network;
}

NetworkShape network_shape_of(const NetworkIndex& index) {
  const bool full = index.contains(std::string(kFullResolution));
  const bool low = index.contains(std::string(kLowResolution));
  const auto trunk = index.find(std::string(kTrunk));
  if (full && low) {
    refuse(format("not a BasicVSR++ network: it has both {} and {}",
                  in_quotes(kLowResolution),
                  in_quotes(kFullResolution)));
  }
  if (trunk == index.end() || !(full || low)) {
    refuse(format("not a BasicVSR++ network: key {} is missing among its {} tensors",
                  in_quotes(trunk == index.end() ? kTrunk : kLowResolution),
                  index.size()));
  }
  const StoredTensor& tensor = *trunk->second.tensor;
  const std::int64_t channels = tensor.view.shape.empty() ? 0 : tensor.view.shape[0];
  if (channels < 8 || channels % 8 != 0 || channels > kMostChannels) {
    refuse(format("key {}: {} channels, but a network has a multiple of 8 up to {}",
                  in_quotes(trunk->second.name),
                  channels,
                  kMostChannels));
  }
  std::set<std::string_view> blocks;
  for (auto at = index.lower_bound(std::string(kBlocks));
       at != index.end() && at->first.starts_with(kBlocks);
       ++at) {
    const std::string_view rest = std::string_view(at->first).substr(kBlocks.size());
    blocks.insert(rest.substr(0, rest.find('.')));
  }
  if (blocks.empty() || blocks.size() > kMostBlocks) {
    refuse(format("{} residual blocks under '{}', from 1 to {} make sense",
                  blocks.size(),
                  kBlocks,
                  kMostBlocks));
  }
  return {low, static_cast<int>(channels), static_cast<int>(blocks.size())};
}

void check_network(const NetworkShape& shape, const NetworkIndex& index) {
  const Tensors expected = network_tensors(shape);
  const std::string network =
      format("x{} c{} n{} network", shape.scale(), shape.mid_channels, shape.num_blocks);
  std::vector<std::string> missing;
  for (const auto& [key, size] : expected) {
    if (!index.contains(key)) missing.push_back(in_quotes(key));
  }
  std::vector<std::string> unknown;
  for (const auto& [key, named] : index) {
    if (!expected.contains(key)) unknown.push_back(in_quotes(named.name));
  }
  if (!missing.empty()) {
    refuse(format("{}: key {} is missing{}{}",
                  network,
                  missing[0],
                  more(missing.size()),
                  unknown.empty() ? "" : ", and unknown key " + unknown[0] + more(unknown.size())));
  }
  if (!unknown.empty()) {
    refuse(format("{}: unknown key {}{}", network, unknown[0], more(unknown.size())));
  }
  for (const auto& [key, named] : index) {
    const TensorView& view = named.tensor->view;
    const Shape& wanted = expected.at(key);
    if (view.shape != wanted) {
      refuse(format("key {}: shape {}, expected {} ({})",
                    in_quotes(named.name),
                    to_text(view.shape),
                    to_text(wanted),
                    network));
    }
    if (!is_floating(view.dtype)) {
      refuse(format("key {}: dtype {}, weights are floating-point",
                    in_quotes(named.name),
                    to_string(view.dtype)));
    }
  }
}

}  // namespace vsr::model
