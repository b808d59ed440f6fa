// The kernels of the network's 3x3 convolutions alone, on random data at the sizes of a film of
// 1024x432: the rows convolutions of Hopper, where the device has them, beside the generic ones;
// then residual blocks one after the other, as two kernels each and as one.
#include "ceilings.hpp"
#include "device_timer.hpp"
#include "launch_work.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/kernels/conv.hpp"
#include "vsr/kernels/conv_rows.hpp"
#include "vsr/kernels/residual_block.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vsr::bench {

namespace {

using namespace kernels;

struct Shape {
  const char* what;
  int inputs;
  int outputs;
  int height;
  int width;
  int residuals = 0;
  bool shuffle = false;
};

constexpr Shape kShapes[] = {{"backbone", 64, 64, 432, 1024},
                             {"backbone", 64, 64, 432, 1024, 1},
                             {"backbone", 64, 64, 432, 1024, 2},
                             {"flows, colours", 16, 64, 432, 1024},
                             {"heads", 64, 432, 432, 1024},
                             {"upsampling", 64, 256, 432, 1024, 0, true},
                             {"upsampling", 64, 256, 864, 2048, 0, true},
                             {"conv_hr", 64, 64, 1728, 4096},
                             {"backbone", 32, 32, 432, 1024},
                             {"heads", 32, 432, 432, 1024},
                             {"flows, colours", 16, 32, 432, 1024},
                             {"backbone", 64, 64, 180, 320}};

void print_row(Table& table,
               const char* what,
               int height,
               int width,
               const Work& work,
               double ms,
               const Ceilings& ceilings) {
  const double bound_ms =
      std::max(work.flop / ceilings.product_tflop_s / 1e9, work.bytes / ceilings.copy_gb_s / 1e6);
  table.row({what,
             format("{}x{}", width, height),
             work.kernel,
             format("{:.4f}", ms),
             format("{:.0f}", work.flop / ms / 1e9),
             format("{:.0f}", work.bytes / ms / 1e6),
             format("{:.0f}%", 100 * bound_ms / ms)});
}

void time_shape(Table& table,
                const Shape& shape,
                const DeviceTimer& timer,
                const Ceilings& ceilings) {
  const auto pixels =
      static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width);
  const auto map = [&](int channels) {
    return random_halves(pixels * static_cast<std::size_t>(channels));
  };
  const gpu::DeviceBuffer source = map(shape.inputs);
  const gpu::DeviceBuffer residuals[2] = {map(shape.outputs), map(shape.outputs)};
  gpu::DeviceBuffer out = map(shape.outputs);
  // Rubbish for both kernels: enough of it for either's packing.
  const auto wide = static_cast<std::size_t>(rows_conv_blocks(shape.outputs)) * 2 * 12 * 64 * 64;
  const gpu::DeviceBuffer weights =
      random_halves(std::max(ConvLayout{3, shape.outputs, {shape.inputs}}.elements(), wide));
  const int out_channels = shape.shuffle ? shape.outputs / 4 : shape.outputs;

  ConvCall generic{.weights = weights.data(),
                   .outputs = shape.outputs,
                   .source_count = 1,
                   .height = shape.height,
                   .width = shape.width,
                   .ending = shape.shuffle ? ConvEnding::kShuffle : ConvEnding::kMap,
                   .out = out.data(),
                   .out_channels = out_channels};
  generic.sources[0] = {source.data(), shape.inputs, 0};
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
    generic.residuals[i] = rows.residuals[i] = residuals[i].data();
  }
  const auto print = [&](const Work& work, double ms) {
    print_row(table, shape.what, shape.height, shape.width, work, ms, ceilings);
  };
  if (has_rows_conv(0)) {
    print(work_of(&rows),
          timer.ms([&](int) { launch_rows_conv(rows, ElementType::kHalf, timer.stream()); }));
  }
  print(work_of(&generic),
        timer.ms([&](int) { launch_conv(generic, ElementType::kHalf, timer.stream()); }));
}

// A block, as ResidualBlocks has it, going on from what the one before made. `added`: the last
// one's.
void time_block(Table& table,
                int height,
                int width,
                bool added,
                const DeviceTimer& timer,
                const Ceilings& ceilings) {
  constexpr int kChannels = kResidualBlockChannels;
  const std::size_t values =
      std::size_t{kChannels} * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  gpu::DeviceBuffer maps[2] = {random_halves(values), random_halves(values)};
  const gpu::DeviceBuffer more = random_halves(values);
  // So small that what is added to itself again and again stays a number.
  const gpu::DeviceBuffer weights = random_halves(std::size_t{9} * kChannels * kChannels, 0x1p-10f);
  const std::vector<float> zeros(kChannels);
  gpu::DeviceBuffer bias(zeros.size() * sizeof(float), 0);
  gpu::clear_async(bias.data(), bias.size(), timer.stream());
  const auto* const floats = static_cast<const float*>(bias.data());

  const auto rows = [&](int i) {
    RowsConvCall call{.weights = weights.data(),
                      .bias = floats,
                      .outputs = kChannels,
                      .height = height,
                      .width = width,
                      .source = maps[i].data(),
                      .source_channels = kChannels,
                      .inputs = kChannels,
                      .out = maps[1 - i].data(),
                      .out_channels = kChannels};
    if (i == 0) {
      call.slope = 0;
      call.upwards = true;
    } else {
      call.residuals[0] = maps[0].data();
      if (added) call.residuals[1] = more.data();
    }
    return call;
  };
  const RowsConvCall first = rows(0);
  const RowsConvCall second = rows(1);
  Work two = work_of(&first);
  const Work half = work_of(&second);
  two.kernel += ", " + half.kernel;
  two.flop += half.flop;
  two.bytes += half.bytes;
  print_row(table,
            "block",
            height,
            width,
            two,
            timer.ms([&](int) {
              launch_rows_conv(first, ElementType::kHalf, timer.stream());
              launch_rows_conv(second, ElementType::kHalf, timer.stream());
            }),
            ceilings);

  const auto block = [&](int i) {
    return ResidualBlockCall{.height = height,
                             .width = width,
                             .source = maps[i % 2].data(),
                             .weights1 = weights.data(),
                             .bias1 = floats,
                             .weights2 = weights.data(),
                             .bias2 = floats,
                             .added = added ? more.data() : nullptr,
                             .upwards = i % 2 == 0,
                             .out = maps[1 - i % 2].data()};
  };
  const ResidualBlockCall one = block(0);
  print_row(
      table,
      "block",
      height,
      width,
      work_of(&one),
      timer.ms([&](int i) { launch_residual_block(block(i), ElementType::kHalf, timer.stream()); }),
      ceilings);
}

}  // namespace

void bench_convolutions(Arguments& words) {
  words.end();
  const Ceilings ceilings = measure_ceilings();
  print_ceilings(ceilings);
  const gpu::Stream stream(0);
  const DeviceTimer timer(stream.view());
  Table table({"like", "size", "kernel", "ms", "TFLOP/s", "GB/s", "share of the bound"});
  for (const Shape& shape : kShapes) time_shape(table, shape, timer, ceilings);
  if (has_residual_block(0)) {
    time_block(table, 432, 1024, false, timer, ceilings);
    time_block(table, 432, 1024, true, timer, ceilings);
    time_block(table, 180, 320, false, timer, ceilings);
  }
  table.print();
}

}  // namespace vsr::bench
