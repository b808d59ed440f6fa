// The small set of operations the network is written in, on any device.
//
// Layout: every feature map is (1, c, h, w) in channels-last memory, [h][w][c], of the compute's
// type; flows are (n, 2, h, w), channels-last, fp32. The CPU's convolutions are fastest so
// (measured: 1.0 to 4.6 times NCHW), the sampling kernels want it, and so do the tensor cores.
//
// On the CPU no result depends on the number of threads: each value is summed up by one thread in
// an order that the shapes alone decide.
#pragma once

#include "device.hpp"
#include "vsr/kernels/flow_warp.hpp"
#include "vsr/model/checkpoint.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vsr::model::reference {

enum class Activation { kNone, kRelu, kLeakyRelu };  // leaky: slope 0.1

// A convolution with odd kernel and zero padding of half of it.
struct Conv {
  at::Tensor weight;  // (out, in, k, k), channels-last, of the compute's type
  at::Tensor bias;
  int stride = 1;
};

// Input convolution with leaky relu, then residual blocks x + conv2(relu(conv1(x))).
struct ResidualBlocks {
  struct Block {
    Conv conv1;
    Conv conv2;
  };

  Conv input;
  std::vector<Block> blocks;
};

// The product that follows the sampling: a 1x1 convolution (c, 18c, 1, 1) over the columns of
// deform_columns.hpp.
struct DeformConv {
  Conv product;
};

// Takes weights from a checkpoint to the device, in the type and layout they are used in.
class WeightLoader {
 public:
  WeightLoader(const Checkpoint& checkpoint, const Compute& compute);

  const Checkpoint& checkpoint() const { return checkpoint_; }

  // fp32, as stored.
  at::Tensor tensor(const std::string& key) const;
  Conv conv(const std::string& key, int stride = 1) const;
  // For a convolution whose result is shuffled: output channels in the order shuffle() takes.
  Conv conv_before_shuffle(const std::string& key) const;
  // `<key>.main.0` and `<key>.main.2.{0..blocks-1}`.
  ResidualBlocks residual_blocks(const std::string& key, int blocks) const;
  // A deformable convolution: what is left of it once its samples are columns.
  DeformConv deform(const std::string& key) const;

 private:
  Conv to_device(const at::Tensor& weight, const at::Tensor& bias, int stride) const;

  const Checkpoint& checkpoint_;
  const Compute& compute_;
};

// fp32 values in the type that a convolution takes. In fp16 what lies beyond +-2^14 is cut off
// there: a flow of a hundred thousand pixels (seen where a network is unsure of a flat picture) is
// no more wrong at sixteen thousand, but as an infinity it would poison every frame that comes
// after.
at::Tensor narrowed(const at::Tensor& values, at::ScalarType type);
// Infinities of fp16 become its largest value, in place. Wanted after a convolution that flows go
// into: its sums may pass half's range even when its input was narrowed, and two infinities make no
// number in the next one. Other types are left as they are.
at::Tensor saturated(at::Tensor values);
at::Tensor conv(const Conv& conv, const at::Tensor& input, Activation activation);
at::Tensor run(const ResidualBlocks& blocks, const at::Tensor& input);

// Rows [begin, begin + rows.size(2)) of a feature map that is `height` rows high in all. Cutting a
// map into bands keeps what is in flight small: for the caches on the CPU, for the memory on a GPU.
struct Band {
  at::Tensor rows;
  std::int64_t begin = 0;
  std::int64_t height = 0;

  std::int64_t end() const { return begin + rows.size(2); }
};

// Rows [begin, end) of `map`, no copy; reaching past the map is cut off.
Band band_of(const at::Tensor& map, std::int64_t begin, std::int64_t end);
// A 3x3 convolution: gives those rows whose three input rows are in the band or outside the map.
Band conv(const Conv& conv, const Band& input, Activation activation);
// (4k, h, w) -> (k, 2h, 2w), where the input's channels are in the order (dy, dx, k).
Band shuffle(const Band& input);

at::Tensor flow_warp(const at::Tensor& input, const at::Tensor& flow, kernels::WarpBorder border);
// Bilinear, half-pixel centres, no antialiasing.
at::Tensor resize_half_pixel(const at::Tensor& input, std::int64_t height, std::int64_t width);
// Bilinear, corner samples on corner samples.
at::Tensor resize_corners(const at::Tensor& input, std::int64_t height, std::int64_t width);
// Bicubic by 1/4; sizes are multiples of 4. Values in fp32.
at::Tensor quarter(const at::Tensor& input);
// Mean of 2x2 pixels.
at::Tensor half(const at::Tensor& input);

// The deformable convolution with its last offset convolution: `hidden` (1, c, h, w) goes through
// `heads` to offsets and masks, x1 and x2 are sampled there, flow1 and flow2 being added.
at::Tensor align(const DeformConv& deform,
                 const Conv& heads,
                 const at::Tensor& hidden,
                 const at::Tensor& x1,
                 const at::Tensor& x2,
                 const at::Tensor& flow1,
                 const at::Tensor& flow2);
// With offsets (1, 288, h, w) and masks (1, 144, h, w) as given, both fp32.
at::Tensor deform_conv(const DeformConv& deform,
                       const at::Tensor& x1,
                       const at::Tensor& x2,
                       const at::Tensor& offsets,
                       const at::Tensor& masks);

}  // namespace vsr::model::reference
