#include "generator.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace vsr::model::reference {

namespace {

// Bytes of one 64-channel map at the output's size that the tail works on at a time: for the
// last-level cache on the CPU (measured: whole pictures are a quarter slower, by page faults), for
// the memory on a GPU.
constexpr std::int64_t kHostTailBytes = std::int64_t{12} << 20;
constexpr std::int64_t kDeviceTailBytes = std::int64_t{1} << 30;

class Stopwatch {
 public:
  Stopwatch(PartSeconds& seconds, const char* part)
      : total_(seconds[part]), start_(std::chrono::steady_clock::now()) {}

  ~Stopwatch() {
    total_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& total_;
  std::chrono::steady_clock::time_point start_;
};

at::Tensor concat(const std::vector<at::Tensor>& maps) { return at::cat(maps, 1); }

}  // namespace

Generator::Generator(const Checkpoint& checkpoint, const Compute& compute)
    : shape_(checkpoint.shape()),
      compute_(compute),
      spynet_(WeightLoader(checkpoint, compute), compute) {
  const WeightLoader weights(checkpoint, compute);
  if (shape_.low_res_input) {
    extract_ = weights.residual_blocks("feat_extract", 5);
  } else {
    shrink_ = {weights.conv("feat_extract.0", 2), weights.conv("feat_extract.2", 2)};
    extract_ = weights.residual_blocks("feat_extract.4", 5);
  }
  for (const char* name : {"backward_1", "forward_1", "backward_2", "forward_2"}) {
    const std::string align = format("deform_align.{}", name);
    branches_.push_back(
        {.backward = std::string_view(name).starts_with("backward"),
         .name = name,
         .alignment = {.condition = {weights.conv(align + ".conv_offset.0"),
                                     weights.conv(align + ".conv_offset.2"),
                                     weights.conv(align + ".conv_offset.4")},
                       .heads = weights.conv(align + ".conv_offset.6"),
                       .deform = weights.deform(align)},
         .backbone = weights.residual_blocks(format("backbone.{}", name), shape_.num_blocks)});
  }
  reconstruction_ = weights.residual_blocks("reconstruction", 5);
  upsample1_ = weights.conv_before_shuffle("upsample1.upsample_conv");
  upsample2_ = weights.conv_before_shuffle("upsample2.upsample_conv");
  conv_hr_ = weights.conv("conv_hr");
  conv_last_ = weights.conv("conv_last");
}

std::int64_t Generator::padded(std::int64_t size) const {
  if (shape_.low_res_input) return std::max<std::int64_t>(size, 64);
  return std::max<std::int64_t>((size + 3) / 4 * 4, 256);
}

at::Tensor Generator::spatial_features(const at::Tensor& frame) const {
  at::Tensor x = frame.to(compute_.type).contiguous(at::MemoryFormat::ChannelsLast);
  if (shrink_) {
    for (const Conv& shrinking : *shrink_) x = conv(shrinking, x, Activation::kLeakyRelu);
  }
  return reference::run(extract_, x);
}

at::Tensor Generator::reconstruct(const at::Tensor& features, const at::Tensor& frame) const {
  const at::Tensor x = reference::run(reconstruction_, features);
  const std::int64_t h = x.size(2);
  const std::int64_t w = x.size(3);
  const at::Tensor out = resize_half_pixel(frame.contiguous(), 4 * h, 4 * w);
  // For x1 that is the frame itself, which is not ours to write to.
  const at::Tensor picture = shape_.low_res_input ? out : out.clone();
  const std::int64_t row_bytes = 16 * w * 64 * static_cast<std::int64_t>(x.element_size());
  const std::int64_t limit = compute_.on_cuda() ? kDeviceTailBytes : kHostTailBytes;
  const std::int64_t step = std::max<std::int64_t>(limit / row_bytes, 1);
  for (std::int64_t row = 0; row < h; row += step) {
    const std::int64_t end = std::min(row + step, h);
    // Two rows more on each side: every convolution below takes one row off an inner edge.
    Band band = band_of(x, row - 2, end + 2);
    band = shuffle(conv(upsample1_, band, Activation::kLeakyRelu));
    band = shuffle(conv(upsample2_, band, Activation::kLeakyRelu));
    band = conv(conv_hr_, band, Activation::kLeakyRelu);
    band = conv(conv_last_, band, Activation::kNone);
    picture.narrow(2, 4 * row, 4 * (end - row))
        .add_(band.rows.narrow(2, 4 * row - band.begin, 4 * (end - row)));
  }
  return picture;
}

namespace {

// Maps that outlive the work on one frame, in one block of memory: (count, channels, h, w).
//
// Note [Kept maps]
// What is kept for a window is allocated before the work begins. Allocated frame by frame, between
// the work's own large and short-lived maps, it left holes that nothing fitted (measured with glibc
// 2.36: 68 MiB a frame in place of 31). It also makes a window that does not fit fail at once.
class KeptMaps {
 public:
  KeptMaps(std::int64_t count,
           std::int64_t channels,
           std::int64_t height,
           std::int64_t width,
           const at::TensorOptions& options)
      : all_(at::empty({count, channels, height, width},
                       options.memory_format(at::MemoryFormat::ChannelsLast))) {}

  // Map `index` as (1, channels, h, w); not a copy.
  at::Tensor at(std::int64_t index) const { return all_.narrow(0, index, 1); }

 private:
  at::Tensor all_;
};

}  // namespace

// One run over one window: what is kept for its frames.
class Generator::Window {
 public:
  Window(Generator& generator, std::span<const at::Tensor> frames, Trace* trace)
      : net_(generator),
        frames_(frames),
        trace_(trace),
        count_(static_cast<std::int64_t>(frames.size())),
        height_(frames.front().size(2) / (generator.shape_.low_res_input ? 1 : 4)),
        width_(frames.front().size(3) / (generator.shape_.low_res_input ? 1 : 4)),
        spatial_(kept(count_)),
        results_{kept(count_), kept(count_), kept(count_), kept(kLastResults)},
        flows_(2 * (count_ - 1), 2, height_, width_, options(at::kFloat)) {}

  void run(const FrameRange& emit, const Emit& deliver, const FlowSource& flows) {
    extract();
    take_flows(flows);
    for (std::size_t q = 0; q < 3; ++q) propagate(q, count_, [](std::int64_t) {});
    propagate(3, trace_ != nullptr ? count_ : emit.end, [&](std::int64_t t) {
      if (!emit.contains(t)) return;
      at::Tensor picture;
      {
        const Stopwatch watch(net_.seconds_, "reconstruction");
        std::vector<at::Tensor> maps = inputs_of(3, t);
        maps.push_back(result(3, t));
        picture = net_.reconstruct(concat(maps), frames_[static_cast<std::size_t>(t)]);
      }
      deliver(t, picture);
    });
  }

 private:
  // Of the last branch only the frame at work and the two visited before it are kept.
  static constexpr std::int64_t kLastResults = 3;

  at::TensorOptions options(at::ScalarType type) const {
    return at::TensorOptions().dtype(type).device(net_.compute_.device);
  }

  KeptMaps kept(std::int64_t count) const {
    return {count, net_.shape_.mid_channels, height_, width_, options(net_.compute_.type)};
  }

  // P_q[t]
  at::Tensor result(std::size_t q, std::int64_t t) const {
    return results_[q].at(q == 3 ? t % kLastResults : t);
  }

  void record(const std::string& name, const at::Tensor& map) {
    if (trace_ == nullptr) return;
    (*trace_)[name].push_back(map.to(at::kFloat).to(at::kCPU).contiguous().clone());
  }

  void extract() {
    const Stopwatch watch(net_.seconds_, "features");
    for (std::int64_t t = 0; t < count_; ++t) {
      spatial_.at(t).copy_(net_.spatial_features(frames_[static_cast<std::size_t>(t)]));
      record("spatial", spatial_.at(t));
    }
  }

  // From frame t to t + 1, and from t + 1 to t.
  at::Tensor flow_backward(std::int64_t t) const { return flows_.at(2 * t); }

  at::Tensor flow_forward(std::int64_t t) const { return flows_.at(2 * t + 1); }

  void take_flows(const FlowSource& source) {
    const auto take = [this](std::int64_t t, const at::Tensor& flows) {
      flow_backward(t).copy_(flows.narrow(0, 0, 1));
      flow_forward(t).copy_(flows.narrow(0, 1, 1));
      record("flows_backward", flow_backward(t));
      record("flows_forward", flow_forward(t));
    };
    if (!source) return net_.find_flows(frames_, take);
    for (std::int64_t t = 0; t + 1 < count_; ++t) take(t, source(t));
  }

  // The flow from frame t to the frame that this branch visits before it.
  at::Tensor flow_to_previous(bool backward, std::int64_t t) const {
    return backward ? flow_backward(t) : flow_forward(t - 1);
  }

  // S[t] and the results of the branches before q, in running order.
  std::vector<at::Tensor> inputs_of(std::size_t q, std::int64_t t) const {
    std::vector<at::Tensor> maps{spatial_.at(t)};
    for (std::size_t branch = 0; branch < q; ++branch) maps.push_back(result(branch, t));
    return maps;
  }

  at::Tensor zeros(std::int64_t channels, at::ScalarType type) const {
    return at::zeros({1, channels, height_, width_}, options(type))
        .contiguous(at::MemoryFormat::ChannelsLast);
  }

  // Branch q's results at the frames it visited before t, brought to frame t. `visits`: how many
  // there have been.
  at::Tensor aligned(std::size_t q, std::int64_t t, std::int64_t visits) const {
    const Branch& branch = net_.branches_[q];
    const std::int64_t c = net_.shape_.mid_channels;
    const at::ScalarType type = net_.compute_.type;
    if (visits == 0) return zeros(c, type);
    const std::int64_t step = branch.backward ? 1 : -1;
    const auto warped = [](const at::Tensor& map, const at::Tensor& flow) {
      return flow_warp(map, flow, kernels::WarpBorder::kZeros);
    };
    const at::Tensor first = result(q, t + step);
    const at::Tensor flow1 = flow_to_previous(branch.backward, t);
    const at::Tensor warped1 = warped(first, flow1);
    at::Tensor second;
    at::Tensor warped2;
    at::Tensor flow2;
    if (visits > 1) {
      flow2 = flow1 + warped(flow_to_previous(branch.backward, t + step), flow1);
      second = result(q, t + 2 * step);
      warped2 = warped(second, flow2);
    } else {
      flow2 = zeros(2, at::kFloat);
      second = zeros(c, type);
      warped2 = second;
    }
    at::Tensor hidden =
        concat({warped1, spatial_.at(t), warped2, narrowed(flow1, type), narrowed(flow2, type)});
    for (const Conv& condition : branch.alignment.condition) {
      hidden = saturated(conv(condition, hidden, Activation::kLeakyRelu));
    }
    return align(
        branch.alignment.deform, branch.alignment.heads, hidden, first, second, flow1, flow2);
  }

  // Runs branch q, calling `visited` after each frame. `end`: where a forward branch may stop.
  void propagate(std::size_t q,
                 std::int64_t end,
                 const std::function<void(std::int64_t)>& visited) {
    const Branch& branch = net_.branches_[q];
    std::vector<at::Tensor> seen(static_cast<std::size_t>(trace_ != nullptr ? count_ : 0));
    const std::int64_t visits = branch.backward ? count_ : end;
    for (std::int64_t visit = 0; visit < visits; ++visit) {
      const std::int64_t t = branch.backward ? count_ - 1 - visit : visit;
      at::Tensor start;
      {
        const Stopwatch watch(net_.seconds_, "alignment");
        start = aligned(q, t, visit);
      }
      at::Tensor made = result(q, t);
      {
        const Stopwatch watch(net_.seconds_, "propagation");
        std::vector<at::Tensor> maps = inputs_of(q, t);
        maps.push_back(start);
        at::add_out(made, reference::run(branch.backbone, concat(maps)), start);
      }
      if (trace_ != nullptr) seen[static_cast<std::size_t>(t)] = made.clone();
      visited(t);
    }
    for (const at::Tensor& map : seen) record(branch.name, map);
  }

  Generator& net_;
  std::span<const at::Tensor> frames_;
  Trace* trace_;
  std::int64_t count_;
  std::int64_t height_;  // of the features
  std::int64_t width_;
  KeptMaps spatial_;                 // S
  std::array<KeptMaps, 4> results_;  // P, by branch
  KeptMaps flows_;                   // by frame: to the next one, and back from it
};

void Generator::run(std::span<const at::Tensor> frames,
                    const FrameRange& emit,
                    const Emit& deliver,
                    Trace* trace,
                    const FlowSource& flows) {
  const FrameRange all{0, static_cast<std::int64_t>(frames.size())};
  if (frames.empty() || !all.contains(emit)) {
    throw Error(ErrorCode::kInternal,
                format("a window of {} frames cannot give frames {} to {}",
                       frames.size(),
                       emit.begin,
                       emit.end));
  }
  for (const at::Tensor& frame : frames) {
    if (frame.sizes() != frames.front().sizes() || padded(frame.size(2)) != frame.size(2) ||
        padded(frame.size(3)) != frame.size(3)) {
      throw Error(ErrorCode::kInternal, "frames of a size that the network does not take");
    }
  }
  Window(*this, frames, trace).run(emit, deliver, flows);
}

void Generator::find_flows(
    std::span<const at::Tensor> frames,
    const std::function<void(std::int64_t t, const at::Tensor& flows)>& found) {
  const Stopwatch watch(seconds_, "flow");
  const int shrink = shape_.low_res_input ? 1 : 4;
  SpyNet::Pyramid before;
  for (std::size_t t = 0; t < frames.size(); ++t) {
    const at::Tensor& frame = frames[t];
    SpyNet::Pyramid here = spynet_.pyramid(shape_.low_res_input ? frame : quarter(frame));
    if (t > 0) {
      found(static_cast<std::int64_t>(t) - 1,
            spynet_.flows_both_ways(before, here, frame.size(2) / shrink, frame.size(3) / shrink));
    }
    before = std::move(here);
  }
}

}  // namespace vsr::model::reference
