// One convolution of the network: its weights as the kernels want them, and the choice of kernel.
#pragma once

#include "fused/map.hpp"
#include "vsr/base/format.hpp"
#include "vsr/kernels/conv.hpp"
#include "vsr/model/checkpoint.hpp"

#include <array>
#include <string>
#include <vector>

namespace vsr::model::fused {

using kernels::ConvActivation;

// What a convolution is made of, on the host.
struct ConvWeights {
  int kernel = 3;
  int outputs = 0;
  std::vector<int> sources;    // channels of each map it reads, as the network counts them
  std::vector<float> weights;  // (outputs, sources' channels, kernel, kernel)
  std::vector<float> bias;     // (outputs)

  int inputs() const;
};

// `<key>.weight` and `.bias`, reading maps of `sources` channels each.
ConvWeights conv_weights(const Checkpoint& checkpoint,
                         const std::string& key,
                         std::vector<int> sources);
// Outputs in another order: output i is what was order[i].
ConvWeights reordered(const ConvWeights& weights, const std::vector<int>& order);
// The order for a convolution whose result is shuffled: (dy, dx, k) in place of (k, dy, dx).
std::vector<int> shuffle_order(int outputs);

class Conv {
 public:
  Conv() = default;
  Conv(WeightStore& store, const ConvWeights& weights);

  // Source maps in order; one without data is zeros, and costs nothing.
  using Sources = std::vector<Map>;

  struct Ending {
    ConvActivation activation = ConvActivation::kNone;
    std::array<const void*, 2> residuals{};  // maps of the output's layout, added, first and next
    bool saturate = false;  // for what flows go into: cut off what passes half's range
    bool shuffle = false;
    bool upwards = false;  // goes through the rows from the last; for the caches
  };

  // out = conv(sources) with its ending. Activation and residuals exclude each other.
  void run(const Compute& compute,
           const Sources& sources,
           const Map& out,
           const Ending& ending) const;
  // The first two outputs + base, fp32 [images, height, width, 2]. In place is allowed.
  void run_to_flow(const Compute& compute, const Map& source, const float* base, float* out) const;
  // The first three outputs + base (3, height / scale, width / scale) enlarged, fp32 planar.
  void run_to_picture(
      const Compute& compute, const Map& source, const float* base, int scale, float* out) const;

  // What launch_residual_block() takes of it; nulls where it is no convolution for that.
  struct OfBlock {
    const void* weights = nullptr;
    const float* bias = nullptr;
  };

  OfBlock of_block() const;

 private:
  // A pass of the rows convolution: some channels of one source.
  struct Pass {
    std::size_t source = 0;
    int first_channel = 0;
    int inputs = 0;
    const void* weights = nullptr;
  };

  kernels::ConvCall call_for(const Sources& sources) const;
  void run_rows(const Compute& compute,
                const Sources& sources,
                const Map& out,
                const Ending& ending) const;

  int kernel_ = 3;
  int outputs_ = 0;
  const void* weights_ = nullptr;  // where there are no passes
  const float* bias_ = nullptr;
  std::vector<Pass> passes_;  // on Hopper, where the rows convolution reads all sources
};

// Input convolution with leaky relu, then residual blocks x + conv2(relu(conv1(x))).
class ResidualBlocks {
 public:
  ResidualBlocks() = default;
  // `<key>.main.0` reading `sources`, and `<key>.main.2.{0..blocks-1}`.
  ResidualBlocks(WeightStore& store,
                 const Checkpoint& checkpoint,
                 const std::string& key,
                 std::vector<int> sources,
                 int blocks);

  // out = blocks(sources) + residual (null: nothing more). `x` and `y` are maps to work in; out may
  // be x, and a source y unless out is x.
  void run(const Compute& compute,
           const Conv::Sources& sources,
           const Map& x,
           const Map& y,
           const Map& out,
           const void* residual = nullptr) const;

 private:
  struct Block {
    Conv conv1;
    Conv conv2;
  };

  // The same by one kernel a block.
  void run_fused(const Compute& compute,
                 const Conv::Sources& sources,
                 const Map& x,
                 const Map& y,
                 const Map& out,
                 const void* residual) const;

  Conv input_;
  std::vector<Block> blocks_;
};

}  // namespace vsr::model::fused
