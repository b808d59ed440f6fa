// Optical flow between neighbouring frames (SPyNet), several pairs and both ways at once, so that
// the small levels fill the device.
#pragma once

#include "fused/conv.hpp"
#include "vsr/kernels/flow_conv.hpp"
#include "vsr/kernels/flow_levels.hpp"

#include <array>
#include <span>
#include <vector>

namespace vsr::model::fused {

// One of the five convolutions of a level: with kernels of its own on Hopper.
class FlowConv {
 public:
  FlowConv() = default;
  FlowConv(WeightStore& store, const ConvWeights& weights);

  // relu(conv(source)), cut off at half's range.
  void run(const Compute& compute, const Map& source, const Map& out) const;
  // The last one's result + base, fp32 [images, height, width, 2]. In place is allowed.
  void run_to_flow(const Compute& compute, const Map& source, const float* base, float* out) const;

 private:
  kernels::FlowConvCall call_for(const Map& source) const;

  Conv conv_;                      // elsewhere
  const void* weights_ = nullptr;  // on Hopper
  const float* bias_ = nullptr;
  int inputs_ = 0;
  int outputs_ = 0;
};

class FlowNet {
 public:
  FlowNet(WeightStore& store, const Checkpoint& checkpoint);

  // Pairs of frames of height x width pixels that are worked on at once.
  static int pairs_at_once(int height, int width);

  // What it works in, for pictures of one size; made once.
  struct Room {
    int height = 0;  // of the pictures
    int width = 0;
    int pairs = 0;
    std::array<std::vector<float*>, kernels::kFlowLevels> pyramids;  // by level, by frame
    std::array<float*, 2> flow{};
    Map input;
    std::array<Map, 4> maps;
  };

  static Room take_room(Arena& arena, int height, int width);

  // Between pictures[i] and pictures[i + 1] (fp32 planar [3, height, width]):
  // there[i] from i to i + 1, and back[i] from i + 1 to i, fp32 [height, width, 2].
  // At most room.pairs + 1 pictures.
  void run(const Compute& compute,
           const Room& room,
           std::span<const float* const> pictures,
           std::span<float* const> there,
           std::span<float* const> back) const;

 private:
  std::array<float, 3> mean_{};
  std::array<float, 3> deviation_{};
  std::array<std::array<FlowConv, 5>, kernels::kFlowLevels> levels_;
};

}  // namespace vsr::model::fused
