// Times the network's convolutions alone, on random data at the sizes of a film of 1024x432: the
// rows convolutions of Hopper, where the device has them, beside the generic ones. Milliseconds
// (medians), TFLOP/s, GB/s of maps read and written.
//   conv_bench
#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/kernels/conv.hpp"
#include "vsr/kernels/conv_rows.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

namespace {

using namespace vsr;
using namespace vsr::kernels;

constexpr int kRounds = 20;
constexpr gpu::StreamView kStream{.device = 0};

struct Shape {
  const char* name;
  int inputs;
  int outputs;
  int height;
  int width;
  int residuals = 0;
  bool shuffle = false;
};

constexpr Shape kShapes[] = {{"64->64", 64, 64, 432, 1024},
                             {"64->64, a residual", 64, 64, 432, 1024, 1},
                             {"64->64, two residuals", 64, 64, 432, 1024, 2},
                             {"64->432, heads", 64, 432, 432, 1024},
                             {"64->256, shuffled", 64, 256, 432, 1024, 0, true},
                             {"64->256, shuffled", 64, 256, 864, 2048, 0, true},
                             {"64->64, conv_hr", 64, 64, 1728, 4096},
                             {"32->32", 32, 32, 432, 1024},
                             {"32->432, heads", 32, 432, 432, 1024},
                             {"64->64", 64, 64, 180, 320}};

// Halves in -1..1: never time on zeros.
gpu::DeviceBuffer random_map(std::int64_t values) {
  std::vector<std::uint16_t> bits(
      static_cast<std::size_t>(std::min<std::int64_t>(values, 1 << 22)));
  std::uint32_t state = 1;
  for (std::uint16_t& value : bits) {
    state = state * 1664525u + 1013904223u;
    const auto half = static_cast<_Float16>(static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
    value = __builtin_bit_cast(std::uint16_t, half);
  }
  gpu::DeviceBuffer made(static_cast<std::size_t>(values) * 2, 0);
  for (std::size_t at = 0; at < made.size(); at += bits.size() * 2) {
    gpu::copy_bytes_async(bits.data(),
                          static_cast<std::byte*>(made.data()) + at,
                          std::min(bits.size() * 2, made.size() - at),
                          kStream);
  }
  return made;
}

float median_ms(const std::function<void()>& launch) {
  std::vector<float> times;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  for (int round = -3; round < kRounds; ++round) {
    cudaEventRecord(begin, nullptr);
    launch();
    cudaEventRecord(end, nullptr);
    cudaEventSynchronize(end);
    float ms = 0;
    cudaEventElapsedTime(&ms, begin, end);
    if (round >= 0) times.push_back(ms);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void bench(const Shape& shape) {
  const std::int64_t pixels = std::int64_t{shape.height} * shape.width;
  const gpu::DeviceBuffer source = random_map(pixels * shape.inputs);
  const gpu::DeviceBuffer residual = random_map(pixels * shape.outputs);
  gpu::DeviceBuffer out = random_map(pixels * shape.outputs);
  const ConvLayout layout{3, shape.outputs, {shape.inputs}};
  // Rubbish for both: enough of it for either's packing.
  const auto wide = static_cast<std::size_t>(rows_conv_blocks(shape.outputs)) * 2 * 12 * 64 * 64;
  const gpu::DeviceBuffer weights =
      random_map(static_cast<std::int64_t>(std::max(layout.elements(), wide)));
  const int out_channels = shape.shuffle ? shape.outputs / 4 : shape.outputs;

  ConvCall plain{.weights = weights.data(),
                 .outputs = shape.outputs,
                 .source_count = 1,
                 .height = shape.height,
                 .width = shape.width,
                 .ending = shape.shuffle ? ConvEnding::kShuffle : ConvEnding::kMap,
                 .out = out.data(),
                 .out_channels = out_channels};
  plain.sources[0] = {source.data(), shape.inputs, 0};
  RowsConvCall rows{.weights = weights.data(),
                    .outputs = shape.outputs,
                    .height = shape.height,
                    .width = shape.width,
                    .source = source.data(),
                    .source_channels = shape.inputs,
                    .inputs = shape.inputs,
                    .out = out.data(),
                    .out_channels = out_channels,
                    .shuffle = shape.shuffle};
  for (int i = 0; i < shape.residuals; ++i) {
    plain.residuals[i] = residual.data();
    rows.residuals[i] = residual.data();
  }
  const double flop = 2.0 * 9 * shape.inputs * shape.outputs * static_cast<double>(pixels);
  const double bytes =
      2.0 * static_cast<double>(pixels) * (shape.inputs + shape.outputs * (1 + shape.residuals));
  const auto print = [&](const char* kernel, float ms) {
    std::printf("%-24s %4dx%-4d %-8s %8.4f ms %6.0f TFLOP/s %6.0f GB/s\n",
                shape.name,
                shape.width,
                shape.height,
                kernel,
                static_cast<double>(ms),
                flop / static_cast<double>(ms) / 1e9,
                bytes / static_cast<double>(ms) / 1e6);
  };
  if (has_rows_conv(0)) {
    print("rows", median_ms([&] { launch_rows_conv(rows, ElementType::kHalf, kStream); }));
  }
  print("generic", median_ms([&] { launch_conv(plain, ElementType::kHalf, kStream); }));
}

}  // namespace

int main() {
  try {
    std::printf("%s\n", gpu::device_info(0).name.c_str());
    for (const Shape& shape : kShapes) bench(shape);
  } catch (const Error& error) {
    std::fprintf(stderr, "conv_bench: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
