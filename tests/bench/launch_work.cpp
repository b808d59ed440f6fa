#include "launch_work.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>

namespace vsr::bench {

namespace {

using namespace kernels;
using model::fused::Move;

constexpr double kMapBytes = 2;     // a value of a feature map or a weight
constexpr double kFlowBytes = 8;    // fp32, x and y
constexpr double kPixelBytes = 12;  // fp32, R, G and B

int present(const void* const (&maps)[2]) {
  return (maps[0] != nullptr ? 1 : 0) + (maps[1] != nullptr ? 1 : 0);
}

double product_flop(double pixels, int kernel, int inputs, int outputs) {
  return 2 * pixels * kernel * kernel * inputs * outputs;
}

double weight_bytes(int kernel, int inputs, int outputs) {
  return kMapBytes * kernel * kernel * inputs * outputs;
}

std::string shape(int inputs, int outputs, int residuals, bool shuffle) {
  return format("{}->{}{}{}",
                inputs,
                outputs,
                residuals > 0 ? format(" + {}", residuals) : "",
                shuffle ? ", shuffled" : "");
}

// Inputs are counted with their padding to 16 channels.
Work work_of(const ConvCall& call) {
  const double pixels = double{1} * call.images * call.height * call.width;
  int inputs = 0;
  for (int i = 0; i < call.source_count; ++i) {
    if (call.sources[i].map != nullptr) inputs += call.sources[i].channels;
  }
  const int residuals = present(call.residuals);
  Work work{.kernel = format("conv {0}x{0} ", call.kernel)};
  int outputs = call.outputs;
  double out_bytes = kMapBytes * outputs * (1 + residuals);
  if (call.ending == ConvEnding::kFlow) {
    outputs = 2;
    out_bytes = 2 * kFlowBytes;
  } else if (call.ending == ConvEnding::kPicture) {
    outputs = 3;
    out_bytes = kPixelBytes * (1 + 1.0 / (call.scale * call.scale));
  }
  work.kernel += shape(inputs, outputs, residuals, call.ending == ConvEnding::kShuffle);
  work.flop = product_flop(pixels, call.kernel, inputs, outputs);
  work.bytes =
      pixels * (kMapBytes * inputs + out_bytes) + weight_bytes(call.kernel, inputs, outputs);
  return work;
}

Work work_of(const RowsConvCall& call) {
  const double pixels = double{1} * call.images * call.height * call.width;
  const int residuals = present(call.residuals);
  return {.kernel = "rows " + shape(call.inputs, call.outputs, residuals, call.shuffle),
          .flop = product_flop(pixels, 3, call.inputs, call.outputs),
          .bytes = pixels * kMapBytes * (call.inputs + call.outputs * (1 + residuals)) +
                   weight_bytes(3, call.inputs, call.outputs)};
}

Work work_of(const ResidualBlockCall& call) {
  constexpr int kChannels = kResidualBlockChannels;
  const double pixels = double{1} * call.images * call.height * call.width;
  const int added = call.added != nullptr ? 1 : 0;
  return {.kernel = "block " + shape(kChannels, kChannels, added, false),
          .flop = 2 * product_flop(pixels, 3, kChannels, kChannels),
          .bytes = pixels * kMapBytes * kChannels * (2 + added) +
                   2 * weight_bytes(3, kChannels, kChannels)};
}

Work work_of(const FlowConvCall& call) {
  const double pixels = double{1} * call.images * call.height * call.width;
  const double out_bytes = call.outputs == 2 ? 2 * kFlowBytes : kMapBytes * call.outputs;
  return {.kernel = format("flow 7x7 {}->{}", call.inputs, call.outputs),
          .flop = product_flop(pixels, 7, call.inputs, call.outputs),
          .bytes = pixels * (kMapBytes * call.inputs + out_bytes) +
                   weight_bytes(7, call.inputs, call.outputs)};
}

Work work_of(const PictureConvCall& call) {
  constexpr int kChannels = kPictureConvChannels;
  const double pixels = double{1} * call.height * call.width;
  return {
      .kernel = format("picture {0}->{0}->3", kChannels),
      .flop = product_flop(pixels, 3, kChannels, kChannels) + product_flop(pixels, 3, kChannels, 3),
      .bytes =
          pixels * (kMapBytes * kChannels + kPixelBytes * (1 + 1.0 / (call.scale * call.scale)))};
}

// Heads are read by twos of samples, so of one map's nine the last comes with one of the other's.
Work work_of(const DeformAlignCall& call) {
  const int channels = call.shape.channels;
  const int maps = call.x2 != nullptr ? 2 : 1;
  const int heads = kDeformHeadChannels / kDeformTaps * ((maps * kDeformTaps + 1) / 2);
  const double pixels = double{1} * call.shape.height * call.shape.width;
  return {.kernel = format("align {} of {}", channels, maps),
          .flop = product_flop(pixels, 3, maps * channels, channels),
          .bytes = pixels * (kMapBytes * ((maps + 1) * channels + heads) + maps * kFlowBytes) +
                   weight_bytes(3, maps * channels, channels)};
}

Work work_of(const AlignmentContextCall& call) {
  const double pixels = double{1} * call.height * call.width;
  const int maps = call.x2 != nullptr ? 2 : 1;
  const int flows = call.x2 != nullptr ? 3 : 1;
  return {.kernel = format("context {} of {}", call.channels, maps),
          .bytes = pixels * (kMapBytes * (2 * maps * call.channels + kFlowMapChannels) +
                             kFlowBytes * flows)};
}

Work work_of(const FlowPyramidCall& call) {
  // Each level is a quarter of the one above: all are 4/3 of the largest, four values a pixel.
  return {.kernel = "flow pyramid",
          .bytes = double{1} * call.count *
                   (kPixelBytes * call.picture_height * call.picture_width +
                    16.0 * 4 / 3 * call.height * call.width)};
}

Work work_of(const FlowInputCall& call) {
  const double pixels = double{1} * call.images * call.height * call.width;
  const double coarser = call.coarser != nullptr ? kFlowBytes / 4 : 0;
  // Two pictures serve the two images of a pair.
  return {.kernel = "flow input",
          .bytes = pixels * (16 + coarser + kFlowBytes + kMapBytes * call.channels)};
}

Work work_of(const FlowOutputCall& call) {
  return {.kernel = "flow output",
          .bytes = kFlowBytes * call.images *
                   (double{1} * call.height * call.width +
                    double{1} * call.out_height * call.out_width)};
}

Work work_of(const Move& move) {
  std::string name = move.kernel;
  std::replace(name.begin(), name.end(), '_', ' ');
  return {.kernel = name, .bytes = static_cast<double>(move.bytes)};
}

}  // namespace

Work work_of(const model::fused::Launch& launch) {
  return std::visit([](const auto* call) { return work_of(*call); }, launch);
}

}  // namespace vsr::bench
