#include "vsr/kernels/deform_align.hpp"

namespace vsr::kernels {

std::vector<int> deform_head_order() {
  constexpr int kHalf = kDeformGroups / 2;
  std::vector<int> order;
  order.reserve(kDeformHeadChannels);
  for (int tap = 0; tap < kDeformTaps; ++tap) {
    for (int source = 0; source < 2; ++source) {
      const auto sample = [&](int group) { return (source * kHalf + group) * kDeformTaps + tap; };
      for (int group = 0; group < kHalf; ++group) {
        order.push_back(2 * sample(group));
        order.push_back(2 * sample(group) + 1);
      }
      for (int group = 0; group < kHalf; ++group) {
        order.push_back(2 * kDeformSamples + sample(group));
      }
    }
  }
  return order;
}

// [tap][x1, x2][output][channel]
std::vector<float> pack_deform_align(int channels, const std::vector<float>& weights) {
  std::vector<float> packed;
  packed.reserve(weights.size());
  for (int tap = 0; tap < kDeformTaps; ++tap) {
    for (int source = 0; source < 2; ++source) {
      for (int output = 0; output < channels; ++output) {
        for (int i = 0; i < channels; ++i) {
          const int input = source * channels + i;
          packed.push_back(weights[static_cast<std::size_t>(
              (output * 2 * channels + input) * kDeformTaps + tap)]);
        }
      }
    }
  }
  return packed;
}

}  // namespace vsr::kernels
