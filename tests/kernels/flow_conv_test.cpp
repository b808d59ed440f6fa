// SPyNet's convolutions on Hopper against a plain one in double precision.
#include "vsr/kernels/flow_conv.hpp"

#include "cases.hpp"
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/gpu/device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::at;
using test::kStream;
using test::OnDevice;
using test::random_values;
using test::rounded;
using test::to_size;

constexpr int kKernel = 7;

struct Case {
  std::string name;
  int inputs;
  int outputs;
  int images;
  int height;
  int width;
  ElementType type = ElementType::kHalf;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

class FlowConvTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    if (!has_flow_conv(kStream.device)) GTEST_SKIP() << "not a GPU of compute capability 9.0";
  }

  double expected(const std::vector<float>& map,
                  const std::vector<float>& weights,
                  const std::vector<float>& bias,
                  std::int64_t pixel,
                  int output) const {
    const auto image = pixel / (given_.height * given_.width);
    const auto y = static_cast<int>(pixel / given_.width % given_.height);
    const auto x = static_cast<int>(pixel % given_.width);
    double sum = at(bias, output);
    for (int tap = 0; tap < kKernel * kKernel; ++tap) {
      const int from_y = y + tap / kKernel - kKernel / 2;
      const int from_x = x + tap % kKernel - kKernel / 2;
      if (from_y < 0 || from_y >= given_.height || from_x < 0 || from_x >= given_.width) continue;
      const std::int64_t from = (image * given_.height + from_y) * given_.width + from_x;
      for (int c = 0; c < given_.inputs; ++c) {
        sum += at(map, from * given_.inputs + c) *
               at(weights, (std::int64_t{output} * given_.inputs + c) * kKernel * kKernel + tap);
      }
    }
    return sum;
  }

  const Case& given_ = GetParam();
};

TEST_P(FlowConvTest, IsTheConvolution) {
  const std::int64_t pixels = std::int64_t{given_.images} * given_.height * given_.width;
  const int taps = given_.inputs * kKernel * kKernel;
  const float range = 1.0f / std::sqrt(static_cast<float>(taps));
  const auto map = rounded(random_values(to_size(pixels * given_.inputs), -1, 1, 1), given_.type);
  const auto weights =
      rounded(random_values(to_size(given_.outputs * taps), -range, range, 2), given_.type);
  const auto bias = random_values(to_size(given_.outputs), -1, 1, 3);
  const auto base = random_values(to_size(pixels * 2), -50, 50, 4);
  const bool to_flow = given_.outputs == 2;
  const ElementType out_type = to_flow ? ElementType::kFloat : given_.type;

  OnDevice source(map, given_.type);
  OnDevice packed(pack_flow_conv(given_.inputs, given_.outputs, weights), given_.type);
  OnDevice bias_memory(bias, ElementType::kFloat);
  OnDevice base_memory(base, ElementType::kFloat);
  OnDevice out(std::vector<float>(to_size(pixels * given_.outputs), -99.0f), out_type);
  FlowConvCall call;
  call.weights = packed.data();
  call.bias = bias_memory.floats();
  call.inputs = given_.inputs;
  call.outputs = given_.outputs;
  call.images = given_.images;
  call.height = given_.height;
  call.width = given_.width;
  call.source = source.data();
  call.base = base_memory.floats();
  call.out = out.data();
  launch_flow_conv(call, given_.type, kStream);
  const auto got = out.values(out_type);

  const double tolerance = to_flow ? 1e-4 : given_.type == ElementType::kHalf ? 2e-3 : 1.6e-2;
  // Every pixel of small pictures; of large ones some, without a pattern.
  const std::int64_t step = pixels * given_.outputs * taps > 30'000'000 ? 13 : 1;
  for (std::int64_t pixel = 0; pixel < pixels; pixel += step) {
    for (int n = 0; n < given_.outputs; ++n) {
      const double sum = expected(map, weights, bias, pixel, n);
      const double value = to_flow ? at(base, pixel * 2 + n) + sum : std::max(sum, 0.0);
      ASSERT_NEAR(at(got, pixel * given_.outputs + n), value, tolerance)
          << "pixel " << pixel << " channel " << n;
    }
  }
}

std::vector<Case> cases() {
  struct Layer {
    int inputs;
    int outputs;
  };

  std::vector<Case> made;
  for (const Layer& layer : {Layer{8, 32}, {32, 64}, {64, 32}, {32, 16}, {16, 2}}) {
    const auto add = [&](const char* name,
                         int images,
                         int height,
                         int width,
                         ElementType type = ElementType::kHalf) {
      made.push_back({std::to_string(layer.inputs) + "To" + std::to_string(layer.outputs) + name,
                      layer.inputs,
                      layer.outputs,
                      images,
                      height,
                      width,
                      type});
    };
    add("OnePixel", 1, 1, 1);
    add("NarrowerThanATile", 2, 5, 7);
    add("SeveralImages", 3, 18, 41);
    add("SeveralStrips", 1, 9, 259);
    add("Tall", 1, 71, 3);
    add("Bfloat16", 2, 6, 131, ElementType::kBfloat16);
  }
  // More work than there are blocks, so that each goes from a strip to the next.
  made.push_back({"ManyPasses8To32", 8, 32, 2, 90, 1030});
  made.push_back({"ManyPasses32To64", 32, 64, 2, 90, 1030});
  made.push_back({"ManyPasses64To32", 64, 32, 2, 90, 1030});
  made.push_back({"ManyPasses32To16", 32, 16, 2, 90, 1030});
  made.push_back({"ManyPasses16To2", 16, 2, 5, 330, 1030});
  return made;
}

INSTANTIATE_TEST_SUITE_P(Kernels, FlowConvTest, testing::ValuesIn(cases()), test::name_of<Case>);

TEST(FlowConv, KnowsItsShapes) {
  EXPECT_TRUE(is_flow_conv(7, 32, 64));
  EXPECT_FALSE(is_flow_conv(3, 32, 64));
  EXPECT_FALSE(is_flow_conv(7, 64, 64));
}

}  // namespace
}  // namespace vsr::kernels
