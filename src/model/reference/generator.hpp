// BasicVSR++ itself: frames of a window in, upscaled frames out, one by one.
//
// Four feature maps a frame are kept for the whole window; the fourth branch runs together with the
// reconstruction, and of its results only the latest are kept.
#pragma once

#include "device.hpp"
#include "ops.hpp"
#include "spynet.hpp"
#include "vsr/base/frame_range.hpp"
#include "vsr/model/checkpoint.hpp"

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vsr::model::reference {

// The intermediates of a run by the names of the golden files, in host memory, by frame.
using Trace = std::map<std::string, std::vector<at::Tensor>>;
using PartSeconds = std::map<std::string, double>;

class Generator {
 public:
  // Takes the weights to the device; `checkpoint` is not needed afterwards.
  Generator(const Checkpoint& checkpoint, const Compute& compute);

  // fp32 (1, 3, H, W), planar, not clamped. Handed over before the next frame is computed.
  using Emit = std::function<void(std::int64_t index, const at::Tensor& picture)>;

  // (2, 2, h, w) of the features' size: from frame t to t + 1 and back.
  using FlowSource = std::function<at::Tensor(std::int64_t t)>;

  // `frames`: fp32 (1, 3, H, W) on the device, all of one size that padded() leaves as it is. Emits
  // the frames of `emit`, which lies within the window. With a trace, every frame is computed and
  // recorded. Flows are found, or come from `flows`. To be called within a ComputeScope.
  void run(std::span<const at::Tensor> frames,
           const FrameRange& emit,
           const Emit& deliver,
           Trace* trace = nullptr,
           const FlowSource& flows = {});

  // Between neighbouring ones of such frames, in order.
  void find_flows(std::span<const at::Tensor> frames,
                  const std::function<void(std::int64_t t, const at::Tensor& flows)>& found);

  // Sizes the network takes: at least 64 (x4), or at least 256 and a multiple of 4 (x1).
  std::int64_t padded(std::int64_t size) const;

  const NetworkShape& shape() const { return shape_; }

  const SpyNet& spynet() const { return spynet_; }

  // Wall time by part since the beginning; on a GPU only the time of queueing.
  const PartSeconds& seconds() const { return seconds_; }

 private:
  struct Alignment {
    std::array<Conv, 3> condition;  // conv_offset.0 .2 .4
    Conv heads;                     // conv_offset.6
    DeformConv deform;
  };

  struct Branch {
    bool backward = false;
    std::string name;
    Alignment alignment;
    ResidualBlocks backbone;
  };
  class Window;

  at::Tensor spatial_features(const at::Tensor& frame) const;
  at::Tensor reconstruct(const at::Tensor& features, const at::Tensor& frame) const;

  NetworkShape shape_;
  Compute compute_;
  SpyNet spynet_;
  std::optional<std::array<Conv, 2>> shrink_;  // x1 only: the two convolutions of stride 2
  ResidualBlocks extract_;
  std::vector<Branch> branches_;
  ResidualBlocks reconstruction_;
  Conv upsample1_;
  Conv upsample2_;
  Conv conv_hr_;
  Conv conv_last_;
  PartSeconds seconds_;
};

}  // namespace vsr::model::reference
