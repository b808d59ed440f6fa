// The convolutions against a plain one in double precision; on a GPU, or with the device code
// emulated on the CPU.
#include "vsr/kernels/conv.hpp"

#include "cases.hpp"
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/device.hpp"
#endif

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
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

struct Case {
  std::string name;
  ConvLayout layout;
  int images = 1;
  int height = 5;
  int width = 7;
  ConvEnding ending = ConvEnding::kMap;
  ConvActivation activation = ConvActivation::kNone;
  int residuals = 0;
  int scale = 1;
  ElementType type = ElementType::kHalf;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

// A map with `channels` of its padded channels filled.
std::vector<float> random_map(std::int64_t pixels, int channels, unsigned seed) {
  const int padded = padded_channels(channels);
  std::vector<float> map = random_values(to_size(pixels * padded), -1, 1, seed);
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (static_cast<int>(i % to_size(padded)) >= channels) map[i] = 0;
  }
  return map;
}

class ConvTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
#ifndef VSR_EMULATED_KERNELS
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
#endif
    const ConvLayout& layout = given_.layout;
    pixels_ = std::int64_t{given_.images} * given_.height * given_.width;
    unsigned seed = 1;
    int inputs = 0;
    for (const int channels : layout.sources) {
      maps_.push_back(rounded(random_map(pixels_, channels, seed++), given_.type));
      inputs += channels;
    }
    const int taps = layout.kernel * layout.kernel;
    const float range = 1.0f / std::sqrt(static_cast<float>(inputs * taps));
    weights_ = rounded(
        random_values(to_size(std::int64_t{layout.outputs} * inputs * taps), -range, range, seed++),
        given_.type);
    bias_ = random_values(to_size(layout.outputs), -1, 1, seed);
  }

  // Sums with bias, activated: [pixels][outputs].
  std::vector<double> expected() const {
    const ConvLayout& layout = given_.layout;
    const int taps = layout.kernel * layout.kernel;
    int inputs = 0;
    for (const int channels : layout.sources) inputs += channels;
    std::vector<double> sums(to_size(pixels_ * layout.outputs));
    for (std::int64_t pixel = 0; pixel < pixels_; ++pixel) {
      const auto image = static_cast<int>(pixel / (given_.height * given_.width));
      const auto y = static_cast<int>(pixel / given_.width % given_.height);
      const auto x = static_cast<int>(pixel % given_.width);
      for (int n = 0; n < layout.outputs; ++n) {
        double sum = at(bias_, n);
        int first = 0;
        for (std::size_t s = 0; s < maps_.size(); ++s) {
          const int channels = layout.sources[s];
          for (int tap = 0; tap < taps; ++tap) {
            const int from_y = y + tap / layout.kernel - layout.kernel / 2;
            const int from_x = x + tap % layout.kernel - layout.kernel / 2;
            if (from_y < 0 || from_y >= given_.height || from_x < 0 || from_x >= given_.width)
              continue;
            const std::int64_t from =
                (std::int64_t{image} * given_.height + from_y) * given_.width + from_x;
            for (int c = 0; c < channels; ++c) {
              sum += at(maps_[s], from * padded_channels(channels) + c) *
                     at(weights_, (std::int64_t{n} * inputs + first + c) * taps + tap);
            }
          }
          first += channels;
        }
        if (given_.activation == ConvActivation::kRelu) sum = std::max(sum, 0.0);
        if (given_.activation == ConvActivation::kLeakyRelu && sum < 0) sum *= 0.1;
        sums[to_size(pixel * layout.outputs + n)] = sum;
      }
    }
    return sums;
  }

  // Runs the kernel; `out` is filled with rubbish before.
  std::vector<float> run(ConvCall call,
                         std::size_t out_values,
                         ElementType out_type,
                         const std::vector<float>& base) {
    const ConvLayout& layout = given_.layout;
    OnDevice weights(pack_conv(layout, weights_), given_.type);
    OnDevice bias(pack_bias(layout, bias_), ElementType::kFloat);
    OnDevice base_memory(base, ElementType::kFloat);
    OnDevice out(std::vector<float>(out_values, -99.0f), out_type);
    std::deque<OnDevice> sources;
    std::deque<OnDevice> residuals;
    call.weights = weights.data();
    call.bias = bias.floats();
    call.kernel = layout.kernel;
    call.outputs = layout.outputs;
    for (std::size_t s = 0; s < maps_.size(); ++s) {
      sources.emplace_back(maps_[s], given_.type);
      const int channels = padded_channels(layout.sources[s]);
      call.sources[call.source_count++] = {
          sources.back().data(), channels, std::int64_t{given_.height} * given_.width * channels};
    }
    for (std::size_t i = 0; i < residuals_.size(); ++i) {
      residuals.emplace_back(residuals_[i], given_.type);
      call.residuals[i] = residuals.back().data();
    }
    call.images = given_.images;
    call.height = given_.height;
    call.width = given_.width;
    call.activation = given_.activation;
    call.ending = given_.ending;
    call.base = base_memory.floats();
    call.scale = given_.scale;
    call.out = out.data();
    launch_conv(call, given_.type, kStream);
    return out.values(out_type);
  }

  // The type's rounding of the result, and of nothing else: sums are fp32.
  double tolerance() const { return given_.type == ElementType::kHalf ? 2e-3 : 1.6e-2; }

  const Case& given_ = GetParam();
  std::int64_t pixels_ = 0;
  std::vector<std::vector<float>> maps_;
  std::vector<std::vector<float>> residuals_;
  std::vector<float> weights_;
  std::vector<float> bias_;
};

using ConvToMap = ConvTest;

TEST_P(ConvToMap, IsTheConvolution) {
  const int outputs = given_.layout.outputs;
  const int padded = padded_channels(outputs);
  for (int i = 0; i < given_.residuals; ++i) {
    residuals_.push_back(
        rounded(random_map(pixels_, outputs, 50 + static_cast<unsigned>(i)), given_.type));
  }
  ConvCall call;
  call.out_channels = padded;
  call.out_image_stride = std::int64_t{given_.height} * given_.width * padded;
  const auto got = run(call, to_size(pixels_ * padded), given_.type, {0});
  const auto sums = expected();
  for (std::int64_t pixel = 0; pixel < pixels_; ++pixel) {
    for (int n = 0; n < padded; ++n) {
      double value = n < outputs ? sums[to_size(pixel * outputs + n)] : 0;
      for (const auto& residual : residuals_) value += at(residual, pixel * padded + n);
      ASSERT_NEAR(at(got, pixel * padded + n), value, tolerance())
          << "pixel " << pixel << " channel " << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels,
    ConvToMap,
    testing::Values(
        Case{"OneChunk", {3, 64, {64}}, 1, 5, 70},
        Case{"Narrow", {3, 16, {16}}, 1, 1, 1},
        Case{"Rgb", {3, 32, {3}}, 1, 9, 20, ConvEnding::kMap, ConvActivation::kLeakyRelu},
        Case{
            "OddChannels", {3, 40, {24, 40, 4}}, 1, 6, 33, ConvEnding::kMap, ConvActivation::kRelu},
        Case{"ManySources", {3, 64, {64, 64, 64, 4}}, 1, 3, 65},
        Case{"Residuals", {3, 64, {64}}, 1, 5, 40, ConvEnding::kMap, ConvActivation::kRelu, 2},
        Case{"Heads", {3, 432, {32}}, 1, 3, 9},
        Case{"WideSource", {3, 16, {160}}, 1, 4, 12},
        Case{"Images", {3, 16, {16}}, 3, 6, 5, ConvEnding::kMap, ConvActivation::kNone, 1},
        Case{"Bfloat16",
             {3, 32, {32}},
             1,
             5,
             9,
             ConvEnding::kMap,
             ConvActivation::kNone,
             1,
             1,
             ElementType::kBfloat16},
        Case{"Seven8to32", {7, 32, {8}}, 2, 6, 8, ConvEnding::kMap, ConvActivation::kRelu},
        Case{"Seven32to64", {7, 64, {32}}, 1, 9, 67, ConvEnding::kMap, ConvActivation::kRelu},
        Case{"Seven32to16", {7, 16, {32}}, 1, 3, 5, ConvEnding::kMap, ConvActivation::kRelu}),
    test::name_of<Case>);

#ifndef VSR_EMULATED_KERNELS
// More tiles than a grid can be high, as pictures of 1920x1080 have once they are upscaled.
INSTANTIATE_TEST_SUITE_P(Large,
                         ConvToMap,
                         testing::Values(Case{"Tall", {3, 8, {8}}, 1, 4 * 65536 + 3, 1}),
                         test::name_of<Case>);
#endif

using ConvToShuffled = ConvTest;

TEST_P(ConvToShuffled, PutsOutputsInTheirPlaces) {
  const int each = given_.layout.outputs / 4;
  const int padded = padded_channels(each);
  ConvCall call;
  call.out_channels = padded;
  call.out_image_stride = 4 * std::int64_t{given_.height} * given_.width * padded;
  const auto got = run(call, to_size(4 * pixels_ * padded), given_.type, {0});
  const auto sums = expected();
  for (std::int64_t to = 0; to < 4 * pixels_; ++to) {
    const std::int64_t y = to / (2 * given_.width);
    const std::int64_t x = to % (2 * given_.width);
    const std::int64_t from = y / 2 * given_.width + x / 2;
    for (int k = 0; k < each; ++k) {
      ASSERT_NEAR(at(got, to * padded + k),
                  sums[to_size((from * 4 + y % 2 * 2 + x % 2) * each + k)],
                  tolerance())
          << "pixel " << to << " channel " << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels,
    ConvToShuffled,
    testing::Values(
        Case{"To64", {3, 256, {32}}, 1, 3, 5, ConvEnding::kShuffle, ConvActivation::kLeakyRelu},
        Case{"To32", {3, 128, {32}}, 1, 5, 3, ConvEnding::kShuffle, ConvActivation::kLeakyRelu},
        Case{"To16", {3, 64, {16}}, 1, 2, 4, ConvEnding::kShuffle, ConvActivation::kNone}),
    test::name_of<Case>);

using ConvToFlow = ConvTest;

TEST_P(ConvToFlow, AddsToTheBase) {
  const auto base = random_values(to_size(pixels_ * 2), -50, 50, 60);
  const auto got = run({}, base.size(), ElementType::kFloat, base);
  const auto sums = expected();
  for (std::int64_t i = 0; i < pixels_ * 2; ++i)
    ASSERT_NEAR(at(got, i), at(base, i) + sums[to_size(i)], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Kernels,
                         ConvToFlow,
                         testing::Values(Case{
                             "OfSpynet", {7, 2, {16}}, 2, 5, 9, ConvEnding::kFlow}),
                         test::name_of<Case>);

using ConvToPicture = ConvTest;

TEST_P(ConvToPicture, AddsTheEnlargedFrame) {
  const int scale = given_.scale;
  const int height = given_.height / scale;
  const int width = given_.width / scale;
  const auto base = random_values(to_size(std::int64_t{3} * height * width), 0, 1, 61);
  const auto got = run({}, to_size(pixels_ * 3), ElementType::kFloat, base);
  const auto sums = expected();
  const auto line = [&](int place, int count, int& first, int& second) {
    const double from = std::max((place + 0.5) / scale - 0.5, 0.0);
    first = static_cast<int>(from);
    second = std::min(first + 1, count - 1);
    return from - first;
  };
  for (int i = 0; i < 3; ++i) {
    for (int y = 0; y < given_.height; ++y) {
      for (int x = 0; x < given_.width; ++x) {
        int y0 = 0;
        int y1 = 0;
        int x0 = 0;
        int x1 = 0;
        const double fy = line(y, height, y0, y1);
        const double fx = line(x, width, x0, x1);
        const auto of = [&](int row, int column) {
          return at(base, (std::int64_t{i} * height + row) * width + column);
        };
        const double enlarged = (1 - fy) * ((1 - fx) * of(y0, x0) + fx * of(y0, x1)) +
                                fy * ((1 - fx) * of(y1, x0) + fx * of(y1, x1));
        const std::int64_t pixel = std::int64_t{y} * given_.width + x;
        ASSERT_NEAR(at(got, i * pixels_ + pixel), sums[to_size(pixel * 3 + i)] + enlarged, 1e-4);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels,
    ConvToPicture,
    testing::Values(
        Case{"Times4", {3, 3, {64}}, 1, 12, 20, ConvEnding::kPicture, ConvActivation::kNone, 0, 4},
        Case{"SameSize", {3, 3, {16}}, 1, 5, 9, ConvEnding::kPicture}),
    test::name_of<Case>);

}  // namespace
}  // namespace vsr::kernels
