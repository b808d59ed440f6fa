// The rows convolution against a plain one in double precision.
#include "vsr/kernels/conv_rows.hpp"

#include "cases.hpp"
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/gpu/device.hpp"

#include <gtest/gtest.h>

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
  int inputs = 64;
  int outputs = 64;
  int images = 1;
  int height = 0;
  int width = 0;
  int residuals = 0;
  bool shuffle = false;
  bool upwards = false;
  int first_channel = 0;  // of a map with 32 channels more than are read, if not 0
  ElementType type = ElementType::kHalf;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

constexpr float kSlope = 0.1f;

class RowsConv : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    if (!has_rows_conv(0)) GTEST_SKIP() << gpu::device_info(0).name << " is no Hopper";
    pixels_ = std::int64_t{given_.images} * given_.height * given_.width;
    const float range = 1.0f / std::sqrt(9.0f * static_cast<float>(given_.inputs));
    map_ = rounded(random_values(to_size(pixels_ * channels_), -1, 1, 1), given_.type);
    weights_ = rounded(
        random_values(to_size(std::int64_t{given_.outputs} * channels_ * 9), -range, range, 2),
        given_.type);
    bias_ = random_values(to_size(rows_conv_blocks(given_.outputs) * kRowsConvOutputs), -1, 1, 3);
    for (int i = 0; i < given_.residuals; ++i) {
      residuals_.push_back(rounded(
          random_values(to_size(pixels_ * given_.outputs), -1, 1, 4 + unsigned(i)), given_.type));
    }
  }

  // Of output `n` of a pixel of the source.
  double expected(std::int64_t pixel, int n) const {
    const std::int64_t image = pixel / (std::int64_t{given_.height} * given_.width);
    const auto y = static_cast<int>(pixel / given_.width % given_.height);
    const auto x = static_cast<int>(pixel % given_.width);
    double sum = at(bias_, n);
    for (int tap = 0; tap < 9; ++tap) {
      const int from_y = y + tap / 3 - 1;
      const int from_x = x + tap % 3 - 1;
      if (from_y < 0 || from_y >= given_.height || from_x < 0 || from_x >= given_.width) continue;
      const std::int64_t from = (image * given_.height + from_y) * given_.width + from_x;
      for (int c = given_.first_channel; c < given_.first_channel + given_.inputs; ++c) {
        sum += at(map_, from * channels_ + c) *
               at(weights_, (std::int64_t{n} * channels_ + c) * 9 + tap);
      }
    }
    for (const auto& residual : residuals_) sum += at(residual, pixel * given_.outputs + n);
    return sum > 0 ? sum : sum * static_cast<double>(kSlope);
  }

  // Where the output lies.
  std::int64_t place(std::int64_t pixel, int n) const {
    if (!given_.shuffle) return pixel * given_.outputs + n;
    const int each = given_.outputs / 4;
    const std::int64_t row = pixel / given_.width;  // of all images
    const std::int64_t x = pixel % given_.width;
    const int to = n / each;
    return ((row * 2 + to / 2) * 2 * given_.width + 2 * x + to % 2) * each + n % each;
  }

  const Case& given_ = GetParam();
  int channels_ = given_.inputs + (given_.first_channel == 0 ? 0 : 32);
  std::int64_t pixels_ = 0;
  std::vector<float> map_;
  std::vector<float> weights_;
  std::vector<float> bias_;
  std::vector<std::vector<float>> residuals_;
};

TEST_P(RowsConv, IsTheConvolution) {
  constexpr std::int64_t kBeyond = 4096;  // values after the output, which must stay
  const std::int64_t values = pixels_ * given_.outputs;
  OnDevice out(std::vector<float>(to_size(values + kBeyond), -99.0f), given_.type);
  OnDevice source(map_, given_.type);
  OnDevice packed(
      pack_rows_conv({given_.outputs, channels_, weights_}, given_.first_channel, given_.inputs),
      given_.type);
  OnDevice bias(bias_, ElementType::kFloat);
  std::deque<OnDevice> residuals;
  RowsConvCall call;
  call.weights = packed.data();
  call.bias = bias.floats();
  call.outputs = given_.outputs;
  call.images = given_.images;
  call.height = given_.height;
  call.width = given_.width;
  call.source = source.data();
  call.source_channels = channels_;
  call.first_channel = given_.first_channel;
  call.inputs = given_.inputs;
  call.slope = kSlope;
  call.upwards = given_.upwards;
  for (std::size_t i = 0; i < residuals_.size(); ++i) {
    residuals.emplace_back(residuals_[i], given_.type);
    call.residuals[i] = residuals.back().data();
  }
  call.out = out.data();
  call.out_channels = given_.shuffle ? given_.outputs / 4 : given_.outputs;
  call.shuffle = given_.shuffle;
  launch_rows_conv(call, given_.type, kStream);
  const auto got = out.values(given_.type);
  const double tolerance = given_.type == ElementType::kHalf ? 2e-3 : 1.6e-2;
  for (std::int64_t pixel = 0; pixel < pixels_; ++pixel) {
    for (int n = 0; n < given_.outputs; ++n) {
      ASSERT_NEAR(at(got, place(pixel, n)), expected(pixel, n), tolerance)
          << "pixel " << pixel << " output " << n;
    }
  }
  for (std::int64_t i = values; i < values + kBeyond; ++i) {
    ASSERT_NEAR(at(got, i), -99, 0.5) << i - values << " values after the output";
  }
}

// name, inputs, outputs, images, height, width, residuals, shuffle, upwards, first channel, type
INSTANTIATE_TEST_SUITE_P(
    Kernels,
    RowsConv,
    testing::Values(
        Case{"Pixel64", 64, 64, 1, 1, 1},
        Case{"OddSize64", 64, 64, 1, 7, 131, 1},
        Case{"Images64", 64, 64, 3, 5, 20, 2, false, true},
        Case{"Tall64", 64, 64, 1, 700, 3},
        Case{"Heads64", 64, 432, 1, 3, 130},
        Case{"Shuffle64", 64, 256, 2, 3, 9, 0, true},
        Case{"LaterChannels64", 64, 64, 1, 3, 9, 0, false, false, 32},
        Case{"WideShuffle64", 64, 512, 1, 2, 9, 0, true},
        Case{"Pixel32", 32, 32, 1, 1, 1},
        Case{"OneRow32", 32, 32, 1, 1, 300, 1},
        Case{"OddSize32", 32, 32, 1, 7, 131, 1},
        Case{"Images32", 32, 32, 3, 5, 20, 2, false, true},
        Case{"Even32", 32, 32, 2, 6, 128, 0, false, true},
        Case{"Tall32", 32, 32, 1, 701, 3, 1, false, true},
        Case{"Few32", 32, 16, 2, 5, 9, 1},
        Case{"Heads32", 32, 432, 1, 3, 130},
        Case{"ShuffleTo64", 32, 256, 2, 3, 9, 0, true},
        Case{"ShuffleTo32", 32, 128, 2, 3, 131, 0, true, true},
        Case{"LaterChannels32", 32, 32, 1, 3, 9, 0, false, false, 32},
        Case{"OddSize16", 16, 64, 1, 7, 131, 1},
        Case{"Images16", 16, 64, 3, 5, 20, 0, false, true},
        Case{"Tall16", 16, 32, 1, 700, 3},
        Case{"Bfloat16Of16", 16, 64, 1, 5, 129, 1, false, false, 0, ElementType::kBfloat16},
        Case{"Bfloat16Of64", 64, 64, 1, 4, 129, 1, false, false, 0, ElementType::kBfloat16},
        Case{"Bfloat16Of32", 32, 32, 1, 5, 129, 1, false, false, 0, ElementType::kBfloat16}),
    test::name_of<Case>);

}  // namespace
}  // namespace vsr::kernels
