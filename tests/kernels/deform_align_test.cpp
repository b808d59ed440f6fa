// The alignment in one kernel against the plain operation in double precision. Skips where there is
// no GPU, or none with the kernel.
#include "vsr/kernels/deform_align.hpp"

#include "cases.hpp"
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/kernels/conv_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::AlignCase;
using test::kStream;
using test::OnDevice;
using test::random_values;
using test::rounded;

struct Case {
  std::string name;
  DeformAlignKernel kernel = DeformAlignKernel::kGeneric;
  DeformShape shape;
  bool second = true;
  ElementType type = ElementType::kHalf;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

class DeformAlign : public testing::TestWithParam<Case> {};

TEST_P(DeformAlign, IsTheDeformableConvolution) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  const Case& given = GetParam();
  if (given.kernel == DeformAlignKernel::kHopper && !has_rows_conv(kStream.device)) {
    GTEST_SKIP() << "the GPU is not of the generation that this kernel is for (Hopper)";
  }
  const auto channels = static_cast<std::size_t>(given.shape.channels);
  AlignCase made(given.shape, 11);
  for (auto* values : {&made.x1, &made.x2, &made.heads}) *values = rounded(*values, given.type);
  if (!given.second) std::fill(made.x2.begin(), made.x2.end(), 0.0f);
  const std::size_t inputs = 2 * channels * kDeformTaps;
  const float range = 1 / std::sqrt(static_cast<float>(inputs));
  const auto weights = rounded(random_values(channels * inputs, -range, range, 20), given.type);
  const auto bias = random_values(channels, -1, 1, 21);

  // (output, channel, tap) by columns [tap][channel].
  const std::vector<float> columns = made.expected();
  std::vector<double> expected;
  for (std::size_t pixel = 0; pixel < made.pixels(); ++pixel) {
    for (std::size_t output = 0; output < channels; ++output) {
      double sum = static_cast<double>(bias[output]);
      for (std::size_t i = 0; i < inputs; ++i) {
        const std::size_t tap = i % kDeformTaps;
        const std::size_t channel = i / kDeformTaps;
        sum += static_cast<double>(weights[output * inputs + i]) *
               static_cast<double>(columns[pixel * inputs + tap * 2 * channels + channel]);
      }
      expected.push_back(sum);
    }
  }

  std::vector<float> heads;
  const std::vector<int> order = deform_head_order();
  for (std::size_t pixel = 0; pixel < made.pixels(); ++pixel) {
    for (const int from : order) {
      heads.push_back(made.heads[pixel * kDeformHeadChannels + static_cast<std::size_t>(from)]);
    }
  }
  OnDevice x1(made.x1, given.type);
  OnDevice x2(made.x2, given.type);
  OnDevice heads_memory(heads, given.type);
  OnDevice flow1(made.flow1, ElementType::kFloat);
  OnDevice flow2(made.flow2, ElementType::kFloat);
  OnDevice packed(pack_deform_align(given.kernel, given.shape.channels, weights), given.type);
  OnDevice bias_memory(bias, ElementType::kFloat);
  OnDevice out(std::vector<float>(made.pixels() * channels, -99.0f), given.type);
  launch_deform_align({.kernel = given.kernel,
                       .shape = given.shape,
                       .x1 = x1.data(),
                       .x2 = given.second ? x2.data() : nullptr,
                       .heads = heads_memory.data(),
                       .flow1 = flow1.floats(),
                       .flow2 = given.second ? flow2.floats() : nullptr,
                       .weights = packed.data(),
                       .bias = bias_memory.floats(),
                       .out = out.data()},
                      given.type,
                      kStream);
  const std::vector<float> got = out.values(given.type);
  // Samples are rounded to the type (half: also between the four corners), and so is the result.
  const double tolerance = given.type == ElementType::kHalf ? 4e-3 : 3e-2;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(got[i]), expected[i], tolerance)
        << "pixel " << i / channels << " channel " << i % channels;
  }
}

std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const auto kernel : {DeformAlignKernel::kGeneric, DeformAlignKernel::kHopper}) {
    const auto add = [&](const std::string& name,
                         const DeformShape& shape,
                         bool second = true,
                         ElementType type = ElementType::kHalf) {
      const std::string of = kernel == DeformAlignKernel::kHopper ? "Hopper" : "Generic";
      cases.push_back({of + name, kernel, shape, second, type});
    };
    add("Tile", {4, 32, 64});
    add("OddSize", {13, 71, 64});
    add("NarrowerThanATile", {3, 5, 64});
    add("OnePixel", {1, 1, 64});
    // More tiles than a large GPU makes at once, most of them inside.
    if (kernel == DeformAlignKernel::kHopper) add("ManyTiles", {152, 176, 64});
    add("FirstOrder", {9, 40, 64}, false);
    add("Channels32", {13, 71, 32});
    add("Channels32FirstOrder", {5, 33, 32}, false);
    add("Bfloat16", {7, 37, 64}, true, ElementType::kBfloat16);
    add("Channels32Bfloat16", {11, 20, 32}, true, ElementType::kBfloat16);
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Kernels, DeformAlign, testing::ValuesIn(cases()), test::name_of<Case>);

}  // namespace
}  // namespace vsr::kernels
