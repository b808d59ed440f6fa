#include "fused/picture_end.hpp"

#include "fused/launch.hpp"

namespace vsr::model::fused {

namespace {

constexpr float kSlope = 0.1f;

}  // namespace

PictureEnd::PictureEnd(WeightStore& store, const ConvWeights& hr, const ConvWeights& last) {
  if (needs_map(store.compute())) {
    hr_ = Conv(store, hr);
    last_ = Conv(store, last);
    return;
  }
  weights1_ =
      store.put(kernels::pack_rows_conv({hr.outputs, hr.inputs(), hr.weights}, 0, hr.inputs()));
  weights2_ = store.put(kernels::pack_picture_conv(last.weights));
  bias1_ = store.put_fp32(hr.bias);
  bias2_ = store.put_fp32(last.bias);
}

void PictureEnd::run(const Compute& compute,
                     const Map& source,
                     const Map& between,
                     const float* base,
                     int scale,
                     float* out) const {
  if (needs_map(compute)) {
    hr_.run(compute, {source}, between, {.activation = ConvActivation::kLeakyRelu});
    last_.run_to_picture(compute, between, base, scale, out);
    return;
  }
  launch(compute,
         kernels::PictureConvCall{.height = source.height,
                                  .width = source.width,
                                  .source = source.data,
                                  .weights1 = weights1_,
                                  .bias1 = bias1_,
                                  .slope = kSlope,
                                  .weights2 = weights2_,
                                  .bias2 = bias2_,
                                  .base = base,
                                  .scale = scale,
                                  .out = out});
}

}  // namespace vsr::model::fused
