// The network's single operations against golden/units.h5.
#include "golden_support.hpp"
#include "reference/ops.hpp"
#include "reference/spynet.hpp"
#include "reference_support.hpp"
#include "test_support.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

namespace vsr::model::reference {
namespace {

using test::map_of;
using test::max_difference;

class Operations : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!vsr::test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
    units_ = store::read_golden(test::golden_dir() / "units.h5");
    scope_.emplace(compute_);
  }

  at::Tensor at(const std::string& name) const { return map_of(units_.arrays.at(name)); }

  // The single operation `name`, input to output.
  template <typename Operation>
  void expect(const std::string& name, double tolerance, const Operation& operation) const {
    EXPECT_LE(max_difference(operation(at(name + "/input")), at(name + "/output")), tolerance)
        << name;
  }

  Compute compute_ = make_compute({}, Precision::kFp32, 0);
  store::GoldenFile units_;
  std::optional<ComputeScope> scope_;
};

TEST_F(Operations, WarpWithZerosAndBorder) {
  expect("warp_zeros", 2e-5, [&](const at::Tensor& x) {
    return flow_warp(x, at("warp_zeros/flow"), kernels::WarpBorder::kZeros);
  });
  expect("warp_border", 2e-5, [&](const at::Tensor& x) {
    return flow_warp(x, at("warp_border/flow"), kernels::WarpBorder::kClamp);
  });
}

TEST_F(Operations, Resizes) {
  for (const char* name :
       {"resize_half_pixel_up", "resize_half_pixel_down", "resize_half_pixel_x4"}) {
    const auto& shape = units_.arrays.at(std::string(name) + "/output").shape;
    expect(
        name, 1e-5, [&](const at::Tensor& x) { return resize_half_pixel(x, shape[1], shape[2]); });
  }
  expect("resize_corners_x2", 1e-5, [](const at::Tensor& x) {
    return resize_corners(x, 2 * x.size(2), 2 * x.size(3));
  });
  expect("quarter", 1e-5, quarter);
  expect("half", 1e-5, half);
}

TEST_F(Operations, ShuffleOfReorderedChannels) {
  expect("shuffle", 0, [](const at::Tensor& x) {
    // (k, dy, dx) -> (dy, dx, k), as WeightLoader::conv_before_shuffle has the convolution do.
    const at::Tensor reordered = x.view({1, x.size(1) / 4, 4, x.size(2), x.size(3)})
                                     .transpose(1, 2)
                                     .reshape(x.sizes())
                                     .contiguous(at::MemoryFormat::ChannelsLast);
    return shuffle(band_of(reordered, 0, x.size(2))).rows;
  });
}

TEST_F(Operations, DeformableConvolution) {
  const at::Tensor weight = at("deform/weight");  // (16, 32, 3, 3)
  const DeformConv deform{
      {weight.permute({0, 2, 3, 1}).reshape({16, -1, 1, 1}).contiguous(), at("deform/bias")}};
  expect("deform", 2e-5, [&](const at::Tensor& x) {
    return deform_conv(
        deform, x.narrow(1, 0, 16), x.narrow(1, 16, 16), at("deform/offset"), at("deform/mask"));
  });
}

TEST_F(Operations, SpyNetByLevelAndWhole) {
  const auto checkpoint = Checkpoint::read(test::golden_dir() / "weights" / "c16n2.pth");
  const SpyNet spynet(WeightLoader(checkpoint, compute_), compute_);
  for (int level = 0; level < 5; ++level) {
    const std::string name = "spynet/level" + std::to_string(level);
    EXPECT_LE(max_difference(spynet.residue(level, at(name + "_input")), at(name + "_residue")),
              1e-5)
        << level;
  }
  const at::Tensor ref = at("spynet/ref");
  const at::Tensor flows = spynet.flows_both_ways(
      spynet.pyramid(ref), spynet.pyramid(at("spynet/supp")), ref.size(2), ref.size(3));
  EXPECT_LE(max_difference(flows.narrow(0, 0, 1), at("spynet/output")), 5e-5);
}

// Cutting a chain of convolutions into bands changes no bit of the result.
TEST(Bands, GiveWhatTheWholeMapGives) {
  const Compute compute = make_compute({}, Precision::kFp32, 0);
  const ComputeScope scope(compute);
  const auto last = at::MemoryFormat::ChannelsLast;
  const at::Tensor map = at::rand({1, 16, 23, 19}).contiguous(last);
  const Conv first{at::rand({64, 16, 3, 3}).contiguous(last), at::rand({64})};
  const Conv second{at::rand({8, 16, 3, 3}).contiguous(last), at::rand({8})};
  const auto chain = [&](const Band& band) {
    return conv(second, shuffle(conv(first, band, Activation::kLeakyRelu)), Activation::kNone);
  };
  const Band whole = chain(band_of(map, 0, 23));
  ASSERT_EQ(whole.rows.size(2), 46);
  for (std::int64_t row = 0; row < 23; row += 5) {
    const std::int64_t end = std::min<std::int64_t>(row + 5, 23);
    const Band part = chain(band_of(map, row - 2, end + 2));
    ASSERT_LE(part.begin, 2 * row);
    ASSERT_GE(part.end(), 2 * end);
    EXPECT_EQ(max_difference(part.rows.narrow(2, 2 * row - part.begin, 2 * (end - row)),
                             whole.rows.narrow(2, 2 * row, 2 * (end - row))),
              0)
        << row;
  }
}

}  // namespace
}  // namespace vsr::model::reference
