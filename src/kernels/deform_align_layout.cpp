#include "vsr/kernels/deform_align.hpp"

namespace vsr::kernels {

namespace {

constexpr int kSources = 2;
constexpr int kGroups = kDeformGroups / kSources;

std::size_t to_size(int value) { return static_cast<std::size_t>(value); }

// The network's weight of a sample's channel.
float weight_of(
    const std::vector<float>& weights, int channels, int output, int source, int channel, int tap) {
  const int input = source * channels + channel;
  return weights[to_size((output * kSources * channels + input) * kDeformTaps + tap)];
}

// [tap][x1, x2][output][channel]
std::vector<float> pack_generic(int channels, const std::vector<float>& weights) {
  std::vector<float> packed;
  packed.reserve(weights.size());
  for (int tap = 0; tap < kDeformTaps; ++tap) {
    for (int source = 0; source < kSources; ++source) {
      for (int output = 0; output < channels; ++output) {
        for (int channel = 0; channel < channels; ++channel) {
          packed.push_back(weight_of(weights, channels, output, source, channel, tap));
        }
      }
    }
  }
  return packed;
}

// [x1, x2][tap][row][k]: a row an output, as the tensor cores read them (16-byte parts under the
// swizzle of the rows' width). Rows and k are in the order that Note [Samples in registers] needs:
// the outputs that a thread gets follow each other, and the channels of its groups lie where it
// holds the samples.
std::vector<float> pack_hopper(int channels, const std::vector<float>& weights) {
  const int group_channels = channels / kGroups;
  const int pairs = group_channels / 2;
  const int parts = channels / 8;
  std::vector<float> packed(weights.size());
  for (int source = 0; source < kSources; ++source) {
    for (int tap = 0; tap < kDeformTaps; ++tap) {
      for (int row = 0; row < channels; ++row) {
        const int output = row % 8 / 2 * (channels / 4) + row / 8 * 2 + row % 2;
        for (int k = 0; k < channels; ++k) {
          const int lane = k % 8 / 2;
          const int pair = k / 8;  // of the lane's two groups, one after the other
          const int group = lane + pair / pairs * 4;
          const int channel = group * group_channels + pair % pairs * 2 + k % 2;
          const int part = (k / 8) ^ (row * parts / 8 % parts);
          const int place = ((source * kDeformTaps + tap) * channels + row) * channels + part * 8;
          packed[to_size(place + k % 8)] =
              weight_of(weights, channels, output, source, channel, tap);
        }
      }
    }
  }
  return packed;
}

}  // namespace

std::vector<int> deform_head_order() {
  std::vector<int> order(kDeformHeadChannels);
  for (int source = 0; source < kSources; ++source) {
    for (int tap = 0; tap < kDeformTaps; ++tap) {
      for (int group = 0; group < kGroups; ++group) {
        const int from = (source * kGroups + group) * kDeformTaps + tap;
        const DeformHeadPlace to = deform_head_place(source * kDeformTaps + tap, group);
        order[to_size(to.offset)] = 2 * from;
        order[to_size(to.offset + 1)] = 2 * from + 1;
        order[to_size(to.mask)] = 2 * kDeformSamples + from;
      }
    }
  }
  return order;
}

std::vector<float> pack_deform_align(DeformAlignKernel kernel,
                                     int channels,
                                     const std::vector<float>& weights) {
  return kernel == DeformAlignKernel::kHopper ? pack_hopper(channels, weights)
                                              : pack_generic(channels, weights);
}

}  // namespace vsr::kernels
