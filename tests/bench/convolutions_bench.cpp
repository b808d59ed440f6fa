// The kernels of the network's 3x3 convolutions alone, on random data at the sizes of a film of
// 1024x432: the rows convolutions of Hopper, where the device has them, beside the generic ones.
#include "ceilings.hpp"
#include "device_timer.hpp"
#include "launch_work.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/kernels/conv.hpp"
#include "vsr/kernels/conv_rows.hpp"

#include <algorithm>
#include <cstdint>

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
    const double bound_ms =
        std::max(work.flop / ceilings.product_tflop_s / 1e9, work.bytes / ceilings.copy_gb_s / 1e6);
    table.row({shape.what,
               format("{}x{}", shape.width, shape.height),
               work.kernel,
               format("{:.4f}", ms),
               format("{:.0f}", work.flop / ms / 1e9),
               format("{:.0f}", work.bytes / ms / 1e6),
               format("{:.0f}%", 100 * bound_ms / ms)});
  };
  if (has_rows_conv(0)) {
    print(work_of(&rows),
          timer.ms([&](int) { launch_rows_conv(rows, ElementType::kHalf, timer.stream()); }));
  }
  print(work_of(&generic),
        timer.ms([&](int) { launch_conv(generic, ElementType::kHalf, timer.stream()); }));
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
  table.print();
}

}  // namespace vsr::bench
