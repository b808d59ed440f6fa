// The alignment's kernels alone at the size of a film of 1024x432: Hopper's, where the device has
// it, beside the generic one. Random features and weights, flows that go this way and that from one
// part of the picture to the next, offsets of up to a pixel around them.
#include "ceilings.hpp"
#include "device_timer.hpp"
#include "launch_work.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/kernels/conv_rows.hpp"
#include "vsr/kernels/deform_align.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace vsr::bench {

namespace {

using namespace kernels;

constexpr int kWidth = 1024;
constexpr int kHeight = 432;
constexpr int kPixels = kWidth * kHeight;
constexpr float kHeads = 0.1f;  // 10 tanh(0.1): a pixel

// Random vectors of up to 8 pixels at every 64th pixel, bilinear between them.
gpu::DeviceBuffer smooth_flow(unsigned seed) {
  constexpr int kStep = 64;
  constexpr int kAcross = kWidth / kStep + 2;
  constexpr int kDown = kHeight / kStep + 2;
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> vector(-8, 8);
  std::vector<float> nodes(std::size_t{2} * kAcross * kDown);
  for (float& value : nodes) value = vector(random);
  const auto node = [&](int x, int y, int i) {
    return nodes[static_cast<std::size_t>(i + 2 * (x + kAcross * std::int64_t{y}))];
  };
  std::vector<float> flow;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const float right = static_cast<float>(x % kStep) / kStep;
      const float down = static_cast<float>(y % kStep) / kStep;
      for (int i = 0; i < 2; ++i) {
        const auto along = [&](int row) {
          const int column = x / kStep;
          return node(column, row, i) * (1 - right) + node(column + 1, row, i) * right;
        };
        flow.push_back(along(y / kStep) * (1 - down) + along(y / kStep + 1) * down);
      }
    }
  }
  gpu::DeviceBuffer made(flow.size() * sizeof(float), 0);
  const gpu::Stream stream(0);
  gpu::copy_bytes_async(flow.data(), made.data(), made.size(), stream.view());
  stream.wait();
  return made;
}

void time_channels(Table& table, int channels, const DeviceTimer& timer, const Ceilings& ceilings) {
  const auto map = [](int of, float range) {
    return random_halves(std::size_t{kPixels} * static_cast<std::size_t>(of), range);
  };
  const gpu::DeviceBuffer x1 = map(channels, 1);
  const gpu::DeviceBuffer x2 = map(channels, 1);
  const gpu::DeviceBuffer heads = map(kDeformHeadChannels, kHeads);
  const gpu::DeviceBuffer flow1 = smooth_flow(1);
  const gpu::DeviceBuffer flow2 = smooth_flow(2);
  const auto outputs = static_cast<std::size_t>(channels);
  // Random is random, in either kernel's order.
  const gpu::DeviceBuffer weights = random_halves(2 * kDeformTaps * outputs * outputs);
  const gpu::DeviceBuffer bias = filled_buffer(outputs * sizeof(float));
  gpu::DeviceBuffer out = map(channels, 1);

  for (const bool second : {true, false}) {
    for (const auto kernel : {DeformAlignKernel::kHopper, DeformAlignKernel::kGeneric}) {
      const bool hopper = kernel == DeformAlignKernel::kHopper;
      if (hopper && !has_rows_conv(0)) continue;
      const DeformAlignCall call{.kernel = kernel,
                                 .shape = {kHeight, kWidth, channels},
                                 .x1 = x1.data(),
                                 .x2 = second ? x2.data() : nullptr,
                                 .heads = heads.data(),
                                 .flow1 = static_cast<const float*>(flow1.data()),
                                 .flow2 = static_cast<const float*>(flow2.data()),
                                 .weights = weights.data(),
                                 .bias = static_cast<const float*>(bias.data()),
                                 .out = out.data()};
      const Work work = work_of(&call);
      const double ms =
          timer.ms([&](int) { launch_deform_align(call, ElementType::kHalf, timer.stream()); });
      const double bound_ms = std::max(work.flop / ceilings.product_tflop_s / 1e9,
                                       work.bytes / ceilings.copy_gb_s / 1e6);
      table.row({work.kernel,
                 format("{}x{}", kWidth, kHeight),
                 hopper ? "Hopper's" : "generic",
                 format("{:.4f}", ms),
                 format("{:.0f}", work.flop / ms / 1e9),
                 format("{:.0f}", work.bytes / ms / 1e6),
                 format("{:.4f}", bound_ms),
                 format("{:.0f}%", 100 * bound_ms / ms)});
    }
  }
}

}  // namespace

void bench_alignment(Arguments& words) {
  words.end();
  const Ceilings ceilings = measure_ceilings();
  print_ceilings(ceilings);
  const gpu::Stream stream(0);
  const DeviceTimer timer(stream.view());
  Table table(
      {"alignment", "size", "kernel", "ms", "TFLOP/s", "GB/s", "bound, ms", "share of the bound"});
  for (const int channels : {64, 32}) time_channels(table, channels, timer, ceilings);
  table.print();
}

}  // namespace vsr::bench
