// Optical flow between neighbouring frames (SPyNet), several pairs and both ways at once, so that
// the small levels fill the device.
#pragma once

#include "fused/conv.hpp"
#include "vsr/kernels/flow_levels.hpp"

#include <array>
#include <span>
#include <vector>

namespace vsr::model::fused {

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
  std::array<std::array<Conv, 5>, kernels::kFlowLevels> levels_;
};

}  // namespace vsr::model::fused
