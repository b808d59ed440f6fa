#include "fused/conv.hpp"

#include "fused/launch.hpp"
#include "vsr/base/error.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace vsr::model::fused {

namespace {

std::size_t to_size(int value) { return static_cast<std::size_t>(value); }

float slope_of(ConvActivation activation) {
  switch (activation) {
    case ConvActivation::kNone:
      return 1.0f;
    case ConvActivation::kRelu:
      return 0.0f;
    case ConvActivation::kLeakyRelu:
      return 0.1f;
  }
  return 1.0f;
}

}  // namespace

int ConvWeights::inputs() const { return std::accumulate(sources.begin(), sources.end(), 0); }

ConvWeights conv_weights(const Checkpoint& checkpoint,
                         const std::string& key,
                         std::vector<int> sources) {
  const Tensor& weight = checkpoint.tensor(key + ".weight");
  return {.kernel = static_cast<int>(weight.shape.at(2)),
          .outputs = static_cast<int>(weight.shape.at(0)),
          .sources = std::move(sources),
          .weights = weight.values,
          .bias = checkpoint.tensor(key + ".bias").values};
}

ConvWeights reordered(const ConvWeights& weights, const std::vector<int>& order) {
  ConvWeights made = weights;
  const auto each = static_cast<std::ptrdiff_t>(weights.weights.size() / to_size(weights.outputs));
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::copy_n(weights.weights.begin() + order[i] * each,
                each,
                made.weights.begin() + static_cast<std::ptrdiff_t>(i) * each);
    made.bias[i] = weights.bias[to_size(order[i])];
  }
  return made;
}

std::vector<int> shuffle_order(int outputs) {
  std::vector<int> order(to_size(outputs));
  const int each = outputs / 4;
  for (int i = 0; i < outputs; ++i) order[to_size(i)] = i % each * 4 + i / each;
  return order;
}

Conv::Conv(WeightStore& store, const ConvWeights& weights)
    : kernel_(weights.kernel), outputs_(weights.outputs) {
  if (store.compute().hopper && kernel_ == 3 && outputs_ % 8 == 0 &&
      std::all_of(weights.sources.begin(), weights.sources.end(), kernels::is_rows_conv_source)) {
    const kernels::RowsConvWeights all{outputs_, weights.inputs(), weights.weights};
    int first = 0;
    for (std::size_t s = 0; s < weights.sources.size(); ++s) {
      for (int channel = 0; channel < weights.sources[s];) {
        const int inputs = kernels::rows_conv_inputs(weights.sources[s] - channel);
        passes_.push_back(
            {s, channel, inputs, store.put(kernels::pack_rows_conv(all, first + channel, inputs))});
        channel += inputs;
      }
      first += weights.sources[s];
    }
    // The first pass has no sums to read, and in a small one these would be most of its work.
    std::stable_sort(passes_.begin(), passes_.end(), [](const Pass& a, const Pass& b) {
      return a.inputs < b.inputs;
    });
  } else {
    weights_ = store.put(kernels::pack_conv({kernel_, outputs_, weights.sources}, weights.weights));
  }
  std::vector<float> bias = weights.bias;
  bias.resize((bias.size() + 63) / 64 * 64);  // whole tiles of any kernel
  bias_ = store.put_fp32(bias);
}

kernels::ConvCall Conv::call_for(const Sources& sources) const {
  kernels::ConvCall call;
  call.weights = weights_;
  call.bias = bias_;
  call.kernel = kernel_;
  call.outputs = outputs_;
  for (const Map& source : sources) {
    call.sources[call.source_count++] = {source.data, source.channels, source.image_elements()};
  }
  const Map& first = sources.front();
  call.images = first.images;
  call.height = first.height;
  call.width = first.width;
  return call;
}

void Conv::run(const Compute& compute,
               const Sources& sources,
               const Map& out,
               const Ending& ending) const {
  if (!passes_.empty()) return run_rows(compute, sources, out, ending);
  kernels::ConvCall call = call_for(sources);
  call.activation = ending.activation;
  call.ending = ending.shuffle ? kernels::ConvEnding::kShuffle : kernels::ConvEnding::kMap;
  call.saturate = ending.saturate;
  call.out = out.data;
  call.out_channels = out.channels;
  call.out_image_stride = out.image_elements();
  for (std::size_t i = 0; i < 2; ++i) call.residuals[i] = ending.residuals[i];
  launch(compute, call);
}

// Each pass adds to what the ones before it left in `out`. The caller's residuals come with the
// first, since `out` may be one of them; bias and activation with the last.
void Conv::run_rows(const Compute& compute,
                    const Sources& sources,
                    const Map& out,
                    const Ending& ending) const {
  bool begun = false;
  std::size_t last = passes_.size();
  while (last > 0 && sources[passes_[last - 1].source].data == nullptr) --last;
  if (last == 0) throw Error(ErrorCode::kInternal, "a convolution of nothing");
  for (std::size_t p = 0; p < last; ++p) {
    const Pass& pass = passes_[p];
    const Map& source = sources[pass.source];
    if (source.data == nullptr) continue;
    kernels::RowsConvCall call;
    call.weights = pass.weights;
    call.outputs = outputs_;
    call.images = source.images;
    call.height = source.height;
    call.width = source.width;
    call.source = source.data;
    call.source_channels = source.channels;
    call.first_channel = pass.first_channel;
    call.inputs = pass.inputs;
    call.saturate = ending.saturate;
    call.upwards = ending.upwards != (p % 2 == 1);
    call.out = out.data;
    call.out_channels = out.channels;
    call.shuffle = ending.shuffle;
    if (begun) {
      call.residuals[0] = out.data;
    } else {
      std::copy(ending.residuals.begin(), ending.residuals.end(), call.residuals);
    }
    if (p + 1 == last) {
      call.bias = bias_;
      call.slope = slope_of(ending.activation);
    }
    launch(compute, call);
    begun = true;
  }
}

void Conv::run_to_flow(const Compute& compute,
                       const Map& source,
                       const float* base,
                       float* out) const {
  kernels::ConvCall call = call_for({source});
  call.ending = kernels::ConvEnding::kFlow;
  call.base = base;
  call.out = out;
  launch(compute, call);
}

void Conv::run_to_picture(
    const Compute& compute, const Map& source, const float* base, int scale, float* out) const {
  kernels::ConvCall call = call_for({source});
  call.ending = kernels::ConvEnding::kPicture;
  call.base = base;
  call.scale = scale;
  call.out = out;
  launch(compute, call);
}

Conv::OfBlock Conv::of_block() const {
  constexpr int kChannels = kernels::kResidualBlockChannels;
  if (passes_.size() != 1 || passes_[0].inputs != kChannels || outputs_ != kChannels) return {};
  return {passes_[0].weights, bias_};
}

ResidualBlocks::ResidualBlocks(WeightStore& store,
                               const Checkpoint& checkpoint,
                               const std::string& key,
                               std::vector<int> sources,
                               int blocks)
    : input_(store, conv_weights(checkpoint, key + ".main.0", std::move(sources))) {
  for (int i = 0; i < blocks; ++i) {
    const std::string block = format("{}.main.2.{}", key, i);
    const auto conv = [&](const char* name) {
      const std::string conv_key = block + name;
      const auto channels = static_cast<int>(checkpoint.tensor(conv_key + ".weight").shape.at(1));
      return Conv(store, conv_weights(checkpoint, conv_key, {channels}));
    };
    blocks_.push_back({conv(".conv1"), conv(".conv2")});
  }
}

void ResidualBlocks::run(const Compute& compute,
                         const Conv::Sources& sources,
                         const Map& x,
                         const Map& y,
                         const Map& out,
                         const void* residual) const {
  if (compute.hopper && blocks_.front().conv1.of_block().weights != nullptr) {
    return run_fused(compute, sources, x, y, out, residual);
  }
  input_.run(compute, sources, x, {.activation = ConvActivation::kLeakyRelu});
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const bool last = i + 1 == blocks_.size();
    // Each goes the other way through the rows: what was written last is in the cache still.
    blocks_[i].conv1.run(compute, {x}, y, {.activation = ConvActivation::kRelu, .upwards = true});
    blocks_[i].conv2.run(
        compute, {y}, last ? out : x, {.residuals = {x.data, last ? residual : nullptr}});
  }
}

// A block's kernel reads its source beside what it has written already, so blocks go from one map
// to the other and back, the last one to `out`.
void ResidualBlocks::run_fused(const Compute& compute,
                               const Conv::Sources& sources,
                               const Map& x,
                               const Map& y,
                               const Map& out,
                               const void* residual) const {
  Map from = x;
  Map to = y;
  if (out.data == x.data && blocks_.size() % 2 == 1) std::swap(from, to);  // the last one reads y
  input_.run(compute, sources, from, {.activation = ConvActivation::kLeakyRelu});
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const bool last = i + 1 == blocks_.size();
    const Conv::OfBlock conv1 = blocks_[i].conv1.of_block();
    const Conv::OfBlock conv2 = blocks_[i].conv2.of_block();
    launch(compute,
           kernels::ResidualBlockCall{.images = from.images,
                                      .height = from.height,
                                      .width = from.width,
                                      .source = from.data,
                                      .weights1 = conv1.weights,
                                      .bias1 = conv1.bias,
                                      .weights2 = conv2.weights,
                                      .bias2 = conv2.bias,
                                      .added = last ? residual : nullptr,
                                      .upwards = i % 2 == 0,
                                      .out = last ? out.data : to.data});
    std::swap(from, to);
  }
}

}  // namespace vsr::model::fused
