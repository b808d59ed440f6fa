// A residual block in one kernel against two plain convolutions in double precision, the rounding
// between them included, and against two launches of the rows convolution. Compiled twice: for the
// device, and for its code emulated on the CPU (VSR_EMULATED_KERNELS), with fewer pixels.
#include "vsr/kernels/residual_block.hpp"

#include "cases.hpp"
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/kernels/conv_rows.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/device.hpp"
#endif

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::kStream;
using test::OnDevice;
using test::random_values;
using test::rounded;
using test::to_size;

constexpr int kChannels = kResidualBlockChannels;
constexpr std::int64_t kBeyond = 4096;  // values on either side of the output, which must stay
constexpr float kUntouched = -99.0f;
#ifdef VSR_EMULATED_KERNELS
constexpr int kMany = 9;
#else
constexpr int kMany = 300;
#endif

struct Case {
  std::string name;
  int images = 1;
  int height = 0;
  int width = 0;
  bool added = false;
  bool upwards = false;
  ElementType type = ElementType::kHalf;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

// 3x3 with zeros outside, [images][height][width][kChannels].
std::vector<double> convolved(const std::vector<float>& map,
                              const Case& given,
                              const std::vector<float>& weights,
                              const std::vector<float>& bias) {
  // Inputs last, outputs before them: neighbours in memory are added up.
  std::vector<double> ordered(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t input = i / 9 % kChannels;
    const std::size_t output = i / 9 / kChannels;
    ordered[(i % 9 * kChannels + output) * kChannels + input] = static_cast<double>(weights[i]);
  }
  const std::vector<double> values(map.begin(), map.end());
  std::vector<double> sums(map.size());
  for (int row = 0; row < given.images * given.height; ++row) {
    const int y = row % given.height;
    for (int x = 0; x < given.width; ++x) {
      double* const sum = &sums[to_size((std::int64_t{row} * given.width + x) * kChannels)];
      std::copy(bias.begin(), bias.end(), sum);
      for (int tap = 0; tap < 9; ++tap) {
        const int down = tap / 3 - 1;
        const int right = tap % 3 - 1;
        if (y + down < 0 || y + down >= given.height) continue;
        if (x + right < 0 || x + right >= given.width) continue;
        const double* const from =
            &values[to_size((std::int64_t{row + down} * given.width + x + right) * kChannels)];
        for (int n = 0; n < kChannels; ++n) {
          const double* const by =
              &ordered[to_size((std::int64_t{tap} * kChannels + n) * kChannels)];
          double products = 0;
          for (int c = 0; c < kChannels; ++c) products += from[c] * by[c];
          sum[n] += products;
        }
      }
    }
  }
  return sums;
}

// Made up, and what is done with it on the device.
class Block {
 public:
  explicit Block(const Case& given)
      : given_(given),
        source_(map, given.type),
        more_(added, given.type),
        packed1_(pack_rows_conv({kChannels, kChannels, weights1}, 0, kChannels), given.type),
        packed2_(pack_rows_conv({kChannels, kChannels, weights2}, 0, kChannels), given.type),
        bias1_memory_(bias1, ElementType::kFloat),
        bias2_memory_(bias2, ElementType::kFloat) {}

  // What comes out, with kBeyond values on either side.
  std::vector<float> by_one_kernel() {
    OnDevice out(untouched(), given_.type);
    launch_residual_block({.images = given_.images,
                           .height = given_.height,
                           .width = given_.width,
                           .source = source_.data(),
                           .weights1 = packed1_.data(),
                           .bias1 = bias1_memory_.floats(),
                           .weights2 = packed2_.data(),
                           .bias2 = bias2_memory_.floats(),
                           .added = given_.added ? more_.data() : nullptr,
                           .upwards = given_.upwards,
                           .out = inside(out)},
                          given_.type,
                          kStream);
    return out.values(given_.type);
  }

#ifndef VSR_EMULATED_KERNELS
  std::vector<float> by_two_kernels() {
    OnDevice between(untouched(), given_.type);
    OnDevice out(untouched(), given_.type);
    RowsConvCall call{.weights = packed1_.data(),
                      .bias = bias1_memory_.floats(),
                      .outputs = kChannels,
                      .images = given_.images,
                      .height = given_.height,
                      .width = given_.width,
                      .source = source_.data(),
                      .source_channels = kChannels,
                      .slope = 0,
                      .out = inside(between),
                      .out_channels = kChannels};
    launch_rows_conv(call, given_.type, kStream);
    call.weights = packed2_.data();
    call.bias = bias2_memory_.floats();
    call.source = inside(between);
    call.residuals[0] = source_.data();
    call.residuals[1] = given_.added ? more_.data() : nullptr;
    call.slope = 1;
    call.out = inside(out);
    launch_rows_conv(call, given_.type, kStream);
    return out.values(given_.type);
  }
#endif

  // "row 3 column 128 channel 0", rows of all images.
  std::string place(std::size_t value) const {
    const std::size_t pixel = value / kChannels;
    const auto width = static_cast<std::size_t>(given_.width);
    return "row " + std::to_string(pixel / width) + " column " + std::to_string(pixel % width) +
           " channel " + std::to_string(value % kChannels);
  }

 private:
  static std::vector<float> made_up_weights(ElementType type, unsigned seed) {
    const float range = 1.0f / std::sqrt(9.0f * kChannels);
    return rounded(random_values(to_size(kChannels * kChannels * 9), -range, range, seed), type);
  }

  std::vector<float> untouched() const {
    return std::vector<float>(map.size() + 2 * kBeyond, kUntouched);
  }

  static void* inside(OnDevice& memory) {
    return static_cast<std::uint16_t*>(memory.data()) + kBeyond;
  }

  const Case& given_;
  const std::size_t values_ =
      to_size(std::int64_t{given_.images} * given_.height * given_.width * kChannels);

 public:
  const std::vector<float> map = rounded(random_values(values_, -1, 1, 1), given_.type);
  const std::vector<float> added = rounded(random_values(values_, -1, 1, 2), given_.type);
  const std::vector<float> weights1 = made_up_weights(given_.type, 3);
  const std::vector<float> weights2 = made_up_weights(given_.type, 4);
  // The first one far from zero: what lies outside the picture counts as zero, not as the bias.
  const std::vector<float> bias1 = random_values(kChannels, 1, 2, 5);
  const std::vector<float> bias2 = random_values(kChannels, -1, 1, 6);

 private:
  OnDevice source_;
  OnDevice more_;
  OnDevice packed1_;
  OnDevice packed2_;
  OnDevice bias1_memory_;
  OnDevice bias2_memory_;
};

class ResidualBlock : public testing::TestWithParam<Case> {
#ifndef VSR_EMULATED_KERNELS
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    if (!has_residual_block(0)) GTEST_SKIP() << gpu::device_info(0).name << " is no Hopper";
  }
#endif
};

TEST_P(ResidualBlock, IsTwoConvolutionsAndTheSource) {
  const Case& given = GetParam();
  Block block(given);
  const auto got = block.by_one_kernel();

  std::vector<float> between;
  for (const double sum : convolved(block.map, given, block.weights1, block.bias1)) {
    between.push_back(static_cast<float>(std::max(sum, 0.0)));
  }
  const auto sums = convolved(rounded(between, given.type), given, block.weights2, block.bias2);
  // Of the result half a unit in the last place; and sums in fp32 may round to the neighbour of
  // what sums in double do.
  const bool half = given.type == ElementType::kHalf;
  const double unit = half ? 0x1p-11 : 0x1p-8;
  const double slack = half ? 3e-4 : 2.4e-3;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    double expected = sums[i] + static_cast<double>(block.map[i]);
    if (given.added) expected += static_cast<double>(block.added[i]);
    ASSERT_NEAR(static_cast<double>(got[i + kBeyond]), expected, std::abs(expected) * unit + slack)
        << block.place(i);
  }
  for (std::size_t i = 0; i < kBeyond; ++i) {
    ASSERT_NEAR(got[i], kUntouched, 0.5) << kBeyond - i << " values before the output";
    ASSERT_NEAR(got[kBeyond + sums.size() + i], kUntouched, 0.5) << i << " values after the output";
  }
}

// name, images, height, width, added, upwards, type
INSTANTIATE_TEST_SUITE_P(
    Kernels,
    ResidualBlock,
    testing::Values(Case{"OnePixel", 1, 1, 1},
                    Case{"TwoRows", 1, 2, 9, true, true},
                    Case{"OneRow", 1, 1, 300, true},
                    Case{"OneColumn", 1, kMany, 1, false, true},
                    Case{"OddSize", 1, 7, 131, true},
                    Case{"Upwards", 1, 7, 131, false, true},
                    Case{"Images", 3, 5, 20, true, true},
                    Case{"MoreImagesThanBlocks", kMany, 1, 3, true},
                    Case{"PiecesAcrossStrips", kMany / 4, 5, 130, true},
                    Case{"PiecesAcrossStripsUpwards", kMany / 4, 5, 130, false, true},
                    Case{"ManyRows", 1, 4 * kMany, 3, true},
                    Case{"ManyRowsUpwards", 1, 4 * kMany, 3, false, true},
                    Case{"Bfloat16", 1, 5, 132, false, false, ElementType::kBfloat16},
                    Case{"Bfloat16Added", 2, 5, 129, true, true, ElementType::kBfloat16}),
    test::name_of<Case>);

// Around where strips end.
std::vector<Case> widths() {
  std::vector<Case> cases;
  for (const int end : {128, 256}) {
    for (int width = end - 3; width <= end + 3; ++width) {
      cases.push_back(
          {"Width" + std::to_string(width), 1, 3, width, width % 2 == 0, width % 4 < 2});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Strips, ResidualBlock, testing::ValuesIn(widths()), test::name_of<Case>);

#ifndef VSR_EMULATED_KERNELS

class LargeResidualBlock : public ResidualBlock {};

// Again and again: what overtakes does not always.
TEST_P(LargeResidualBlock, HasTheBitsOfTwoKernels) {
  constexpr int kTimes = 8;
  Block block(GetParam());
  const auto expected = block.by_two_kernels();
  for (int time = 0; time < kTimes; ++time) {
    const auto got = block.by_one_kernel();
    const auto differ = std::mismatch(got.begin(), got.end(), expected.begin());
    if (differ.first == got.end()) continue;
    const auto at = static_cast<std::size_t>(differ.first - got.begin());
    FAIL() << *differ.first << " in place of " << *differ.second << " at "
           << block.place(at - kBeyond) << " the " << time + 1 << ". time";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels,
    LargeResidualBlock,
    testing::Values(Case{"Film", 1, 432, 1024},
                    Case{"FilmAdded", 1, 432, 1024, true, true},
                    Case{"Images", 5, 180, 320, true},
                    Case{"OddSize", 2, 333, 517, false, true},
                    Case{"Bfloat16", 1, 90, 1000, true, false, ElementType::kBfloat16}),
    test::name_of<Case>);

#endif

}  // namespace
}  // namespace vsr::kernels
