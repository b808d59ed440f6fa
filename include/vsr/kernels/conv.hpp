// Convolutions on tensor cores: odd square kernels with zero padding, stride 1, over one or several
// feature maps as if they were one (no concatenation in memory), with what follows them done before
// anything is stored.
//
// Layouts: a map is [images, height, width, channels], half or bfloat16, channels a multiple of 16
// (what a network has less is zeros), contiguous within an image. Sums are fp32. Products need
// sm_80 or later.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vsr::kernels {

inline constexpr int kChannelUnit = 16;

constexpr int padded_channels(int channels) {
  return (channels + kChannelUnit - 1) / kChannelUnit * kChannelUnit;
}

// How a convolution's weights lie in memory: by tile of outputs, by up to 64 channels of a source,
// by tap, as [tile][64]; what a source or the last tile lacks is zeros.
struct ConvLayout {
  int kernel = 3;            // 1, 3 or 7
  int outputs = 0;           // channels
  std::vector<int> sources;  // channels of each, as the network counts them

  int tile() const;   // 16, 32 or 64 outputs
  int tiles() const;  // of outputs
  int chunks() const;
  std::size_t elements() const;
};

// `weights`: (outputs, all sources' channels, kernel, kernel). To be turned into the maps' type.
std::vector<float> pack_conv(const ConvLayout& layout, const std::vector<float>& weights);
// Zeros up to whole tiles.
std::vector<float> pack_bias(const ConvLayout& layout, const std::vector<float>& bias);

struct ConvSource {
  const void* map = nullptr;      // null: zeros
  int channels = 0;               // padded
  std::int64_t image_stride = 0;  // elements from an image to the next
};

enum class ConvActivation { kNone, kRelu, kLeakyRelu };  // leaky: slope 0.1

// What becomes of the sums (after bias and activation).
enum class ConvEnding {
  kMap,      // + up to two residual maps of the output's layout, into `out`
  kShuffle,  // outputs (2 dy + dx, k) of a pixel go to channel k of pixel (2y + dy, 2x + dx) of
             // `out`
  kFlow,     // the first two, + base [images, height, width, 2] fp32, into `out` of the same layout
  kPicture,  // the first three, + base (3, height / scale, width / scale) fp32 enlarged bilinearly,
             // into `out` (3, height, width), fp32
};

struct ConvCall {
  const void* weights = nullptr;
  const float* bias = nullptr;  // up to whole tiles; null: zeros
  int kernel = 3;
  int outputs = 0;
  ConvSource sources[6];
  int source_count = 0;
  int images = 1;
  int height = 0;
  int width = 0;

  ConvActivation activation = ConvActivation::kNone;
  ConvEnding ending = ConvEnding::kMap;
  bool saturate = true;  // kMap, kShuffle: cut off what passes half's range, in place of infinities
  void* out = nullptr;
  int out_channels = 0;               // kMap, kShuffle: of `out`, padded
  std::int64_t out_image_stride = 0;  // kMap, kShuffle
  const void* residuals[2] = {nullptr, nullptr};
  const float* base = nullptr;
  int scale = 1;  // kPicture: 1 or 4
};

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_conv(const ConvCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
