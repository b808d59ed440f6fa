#include "generator.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <ATen/TensorOperators.h>
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

// One run over one window: what is kept for its frames.
class Generator::Window {
 public:
  Window(Generator& generator, std::span<const at::Tensor> frames, Trace* trace)
      : net_(generator), frames_(frames), trace_(trace), count_(static_cast<int>(frames.size())) {}

  void run(const FrameRange& emit, const Emit& deliver) {
    extract();
    find_flows();
    features_.resize(3);
    for (std::size_t q = 0; q < 3; ++q) propagate(q, count_, nullptr);
    propagate(3, trace_ != nullptr ? count_ : static_cast<int>(emit.end), [&](int t) {
      if (!emit.contains(t)) return;
      at::Tensor picture;
      {
        const Stopwatch watch(net_.seconds_, "reconstruction");
        std::vector<at::Tensor> maps = inputs_of(3, t);
        maps.push_back(latest_);
        picture = net_.reconstruct(concat(maps), frames_[static_cast<std::size_t>(t)]);
      }
      deliver(t, picture);
    });
  }

 private:
  // Two flows of a visit: from the frame to the one visited before it, and on to the one before
  // that.
  struct Steps {
    at::Tensor first;
    at::Tensor second;
  };

  void record(const std::string& name, const at::Tensor& map) {
    if (trace_ == nullptr) return;
    (*trace_)[name].push_back(map.to(at::kFloat).to(at::kCPU).contiguous().clone());
  }

  void extract() {
    const Stopwatch watch(net_.seconds_, "features");
    for (const at::Tensor& frame : frames_) {
      spatial_.push_back(net_.spatial_features(frame));
      record("spatial", spatial_.back());
    }
  }

  // flows_backward_[i]: from frame i to i + 1; flows_forward_[i]: from i + 1 to i.
  void find_flows() {
    const Stopwatch watch(net_.seconds_, "flow");
    const std::int64_t h = spatial_.front().size(2);
    const std::int64_t w = spatial_.front().size(3);
    SpyNet::Pyramid before;
    for (int t = 0; t < count_; ++t) {
      const at::Tensor& frame = frames_[static_cast<std::size_t>(t)];
      SpyNet::Pyramid here =
          net_.spynet_.pyramid(net_.shape_.low_res_input ? frame : quarter(frame));
      if (t > 0) {
        const at::Tensor flows = net_.spynet_.flows_both_ways(before, here, h, w);
        flows_backward_.push_back(flows.narrow(0, 0, 1));
        flows_forward_.push_back(flows.narrow(0, 1, 1));
        record("flows_backward", flows_backward_.back());
        record("flows_forward", flows_forward_.back());
      }
      before = std::move(here);
    }
  }

  // The flow from frame t to the frame that this branch visits before it.
  const at::Tensor& flow_to_previous(bool backward, int t) const {
    return backward ? flows_backward_[static_cast<std::size_t>(t)]
                    : flows_forward_[static_cast<std::size_t>(t - 1)];
  }

  // S[t] and the results of the branches before q, in running order.
  std::vector<at::Tensor> inputs_of(std::size_t q, int t) const {
    const auto i = static_cast<std::size_t>(t);
    std::vector<at::Tensor> maps{spatial_[i]};
    for (std::size_t branch = 0; branch < q; ++branch) maps.push_back(features_[branch][i]);
    return maps;
  }

  at::Tensor zeros_like(const at::Tensor& map, std::int64_t channels) {
    return at::zeros({1, channels, map.size(2), map.size(3)}, map.options())
        .contiguous(at::MemoryFormat::ChannelsLast);
  }

  // previous: the branch's results at the one or two frames visited before t, newest first.
  at::Tensor aligned(const Branch& branch, int t, const std::vector<at::Tensor>& previous) {
    const at::Tensor& current = spatial_[static_cast<std::size_t>(t)];
    if (previous.empty()) return zeros_like(current, current.size(1));
    const at::Tensor& flow1 = flow_to_previous(branch.backward, t);
    const auto warped = [](const at::Tensor& map, const at::Tensor& flow) {
      return flow_warp(map, flow, kernels::WarpBorder::kZeros);
    };
    const at::Tensor warped1 = warped(previous[0], flow1);
    at::Tensor second;
    at::Tensor warped2;
    at::Tensor flow2;
    if (previous.size() > 1) {
      const int t1 = branch.backward ? t + 1 : t - 1;
      flow2 = flow1 + warped(flow_to_previous(branch.backward, t1), flow1);
      second = previous[1];
      warped2 = warped(second, flow2);
    } else {
      flow2 = zeros_like(flow1, 2);
      second = zeros_like(current, current.size(1));
      warped2 = second;
    }
    at::Tensor hidden =
        concat({warped1, current, warped2, flow1.to(current.dtype()), flow2.to(current.dtype())});
    for (const Conv& condition : branch.alignment.condition) {
      hidden = conv(condition, hidden, Activation::kLeakyRelu);
    }
    return align(
        branch.alignment.deform, branch.alignment.heads, hidden, previous[0], second, flow1, flow2);
  }

  // Runs branch q; after each frame `visited`, if given (then results are not kept). `end`: a
  // forward branch may stop before the window's end.
  void propagate(std::size_t q, int end, const std::function<void(int)>& visited) {
    const Branch& branch = net_.branches_[q];
    const bool keep = !visited;
    if (keep) features_[q].resize(static_cast<std::size_t>(count_));
    std::vector<at::Tensor> previous;
    std::vector<at::Tensor> recorded(static_cast<std::size_t>(count_));
    const int visits = branch.backward ? count_ : end;
    for (int visit = 0; visit < visits; ++visit) {
      const int t = branch.backward ? count_ - 1 - visit : visit;
      {
        at::Tensor start;
        {
          const Stopwatch watch(net_.seconds_, "alignment");
          start = aligned(branch, t, previous);
        }
        const Stopwatch watch(net_.seconds_, "propagation");
        std::vector<at::Tensor> maps = inputs_of(q, t);
        maps.push_back(start);
        latest_ = reference::run(branch.backbone, concat(maps)).add_(start);
      }
      previous.insert(previous.begin(), latest_);
      if (previous.size() > 2) previous.pop_back();
      if (trace_ != nullptr) recorded[static_cast<std::size_t>(t)] = latest_;
      if (keep) {
        features_[q][static_cast<std::size_t>(t)] = latest_;
        continue;
      }
      visited(t);
      spatial_[static_cast<std::size_t>(t)].reset();
      for (auto& kept : features_) kept[static_cast<std::size_t>(t)].reset();
    }
    if (trace_ == nullptr) return;
    for (const at::Tensor& map : recorded) record(branch.name, map);
  }

  Generator& net_;
  std::span<const at::Tensor> frames_;
  Trace* trace_;
  int count_;
  std::vector<at::Tensor> spatial_;
  std::vector<at::Tensor> flows_backward_;
  std::vector<at::Tensor> flows_forward_;
  std::vector<std::vector<at::Tensor>> features_;  // by branch, then frame
  at::Tensor latest_;
};

void Generator::run(std::span<const at::Tensor> frames,
                    const FrameRange& emit,
                    const Emit& deliver,
                    Trace* trace) {
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
  Window(*this, frames, trace).run(emit, deliver);
}

}  // namespace vsr::model::reference
