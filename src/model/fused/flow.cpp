#include "fused/flow.hpp"

#include "fused/launch.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>

namespace vsr::model::fused {

namespace {

// Pixels of the largest level that all pairs' images may have together: enough to fill the device,
// little against what a window keeps.
constexpr std::int64_t kMostPixels = std::int64_t{2} << 20;
constexpr std::array<int, 4> kMapChannels = {32, 64, 32, 16};

int level_size(int size, int level) {
  return kernels::flow_size(size) >> (kernels::kFlowLevels - 1 - level);
}

std::size_t to_size(int value) { return static_cast<std::size_t>(value); }

}  // namespace

FlowConv::FlowConv(WeightStore& store, const ConvWeights& weights)
    : inputs_(weights.inputs()), outputs_(weights.outputs) {
  if (store.compute().hopper && kernels::is_flow_conv(weights.kernel, inputs_, outputs_)) {
    weights_ = store.put(kernels::pack_flow_conv(inputs_, outputs_, weights.weights));
    bias_ = store.put_fp32(weights.bias);
  } else {
    conv_ = Conv(store, weights);
  }
}

kernels::FlowConvCall FlowConv::call_for(const Map& source) const {
  return {.weights = weights_,
          .bias = bias_,
          .inputs = inputs_,
          .outputs = outputs_,
          .images = source.images,
          .height = source.height,
          .width = source.width,
          .source = source.data};
}

void FlowConv::run(const Compute& compute, const Map& source, const Map& out) const {
  if (weights_ == nullptr) {
    return conv_.run(
        compute, {source}, out, {.activation = ConvActivation::kRelu, .saturate = true});
  }
  kernels::FlowConvCall call = call_for(source);
  call.out = out.data;
  launch(compute, call);
}

void FlowConv::run_to_flow(const Compute& compute,
                           const Map& source,
                           const float* base,
                           float* out) const {
  if (weights_ == nullptr) return conv_.run_to_flow(compute, source, base, out);
  kernels::FlowConvCall call = call_for(source);
  call.base = base;
  call.out = out;
  launch(compute, call);
}

FlowNet::FlowNet(WeightStore& store, const Checkpoint& checkpoint) {
  const auto& mean = checkpoint.tensor("spynet.mean").values;
  const auto& deviation = checkpoint.tensor("spynet.std").values;
  std::copy_n(mean.begin(), 3, mean_.begin());
  std::copy_n(deviation.begin(), 3, deviation_.begin());
  for (int level = 0; level < kernels::kFlowLevels; ++level) {
    for (int i = 0; i < 5; ++i) {
      const auto key = format("spynet.basic_module.{}.basic_module.{}.conv", level, i);
      const int inputs = i == 0 ? 8 : kMapChannels[to_size(i - 1)];
      levels_[to_size(level)][to_size(i)] =
          FlowConv(store, conv_weights(checkpoint, key, {inputs}));
    }
  }
}

int FlowNet::pairs_at_once(int height, int width) {
  const std::int64_t pixels =
      2 * std::int64_t{kernels::flow_size(height)} * kernels::flow_size(width);
  return static_cast<int>(
      std::clamp<std::int64_t>(kMostPixels / pixels, 1, kernels::FlowInputCall::kMostImages / 2));
}

FlowNet::Room FlowNet::take_room(Arena& arena, int height, int width) {
  Room room{.height = height, .width = width, .pairs = pairs_at_once(height, width)};
  for (int level = 0; level < kernels::kFlowLevels; ++level) {
    const std::int64_t pixels = std::int64_t{level_size(height, level)} * level_size(width, level);
    for (int i = 0; i <= room.pairs; ++i) {
      room.pyramids[to_size(level)].push_back(arena.take_values<float>(4 * pixels));
    }
  }
  const int images = 2 * room.pairs;
  const int top = kernels::kFlowLevels - 1;
  const int top_height = level_size(height, top);
  const int top_width = level_size(width, top);
  for (float*& flow : room.flow) {
    flow = arena.take_values<float>(std::int64_t{images} * top_height * top_width * 2);
  }
  room.input = arena.take_map(images, top_height, top_width, kernels::kFlowInputChannels);
  for (std::size_t i = 0; i < kMapChannels.size(); ++i) {
    room.maps[i] = arena.take_map(images, top_height, top_width, kMapChannels[i]);
  }
  return room;
}

void FlowNet::run(const Compute& compute,
                  const Room& room,
                  std::span<const float* const> pictures,
                  std::span<float* const> there,
                  std::span<float* const> back) const {
  const int pairs = static_cast<int>(pictures.size()) - 1;
  if (pairs < 1 || pairs > room.pairs || to_size(pairs) != there.size() ||
      to_size(pairs) != back.size()) {
    throw Error(ErrorCode::kInternal, "flows of more pairs than there is room for");
  }
  const int top = kernels::kFlowLevels - 1;
  kernels::FlowPyramidCall pyramids{.count = pairs + 1,
                                    .picture_height = room.height,
                                    .picture_width = room.width,
                                    .height = level_size(room.height, top),
                                    .width = level_size(room.width, top)};
  std::copy(pictures.begin(), pictures.end(), pyramids.pictures);
  std::copy(mean_.begin(), mean_.end(), pyramids.mean);
  std::copy(deviation_.begin(), deviation_.end(), pyramids.deviation);
  for (int level = 0; level < kernels::kFlowLevels; ++level) {
    const auto& made = room.pyramids[to_size(level)];
    std::copy_n(made.begin(), pictures.size(), pyramids.levels[level]);
  }
  launch(compute, pyramids);
  // Images 2 i and 2 i + 1 are the two ways of pair i.
  const int images = 2 * pairs;
  const float* coarser = nullptr;
  for (int level = 0; level < kernels::kFlowLevels; ++level) {
    const int height = level_size(room.height, level);
    const int width = level_size(room.width, level);
    float* const flow = room.flow[to_size(level % 2)];
    const auto at_level = [&](Map map) {
      map.images = images;
      map.height = height;
      map.width = width;
      return map;
    };
    Map input = at_level(room.input);
    if (compute.hopper) input.channels = 8;  // its kernels want no zeros between the pixels
    kernels::FlowInputCall call{.images = images,
                                .height = height,
                                .width = width,
                                .coarser = coarser,
                                .flow = flow,
                                .out = input.data,
                                .channels = input.channels};
    for (int image = 0; image < images; ++image) {
      call.levels[image] = room.pyramids[to_size(level)][to_size(image / 2 + image % 2)];
    }
    launch(compute, call);
    const auto& convs = levels_[to_size(level)];
    Map map = input;
    for (std::size_t i = 0; i < room.maps.size(); ++i) {
      const Map next = at_level(room.maps[i]);
      convs[i].run(compute, map, next);
      map = next;
    }
    convs[4].run_to_flow(compute, map, flow, flow);
    coarser = flow;
  }
  kernels::FlowOutputCall call{.flow = coarser,
                               .images = images,
                               .height = level_size(room.height, top),
                               .width = level_size(room.width, top),
                               .out_height = room.height,
                               .out_width = room.width};
  for (int i = 0; i < pairs; ++i) {
    call.outs[2 * i] = there[to_size(i)];
    call.outs[2 * i + 1] = back[to_size(i)];
  }
  launch(compute, call);
}

}  // namespace vsr::model::fused
