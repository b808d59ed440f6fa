#include "cuda/flow_conv.cuh"
#include "cuda/launch.hpp"
#include "cuda/tensor_map.hpp"
#include "vsr/kernels/conv_rows.hpp"
#include "vsr/kernels/flow_conv.hpp"

#include <cuda_runtime.h>

namespace vsr::kernels {

namespace {

std::uint64_t unsigned_of(int value) { return static_cast<std::uint64_t>(value); }

CUtensorMap map_of(const FlowConvCall& call,
                   const void* data,
                   int channels,
                   int box_channels,
                   int box_pixels,
                   ElementType type) {
  const std::uint64_t pixel = unsigned_of(channels) * 2;
  const std::uint64_t width = unsigned_of(call.width);
  const std::uint64_t height = unsigned_of(call.height);
  return tensor_map({.data = data,
                     .dimensions = 4,
                     .sizes = {unsigned_of(channels), width, height, unsigned_of(call.images)},
                     .strides = {pixel, pixel * width, pixel * width * height},
                     .box = {static_cast<std::uint32_t>(box_channels),
                             static_cast<std::uint32_t>(box_pixels),
                             1,
                             1}},
                    type);
}

template <typename T>
void dispatch(const FlowConvCall& call, FlowConvParameters& parameters, gpu::StreamView stream) {
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, stream.device);
  const bool streamed = call.inputs * call.outputs == 32 * 64;
  const auto launch = streamed ? launch_flow_conv_streamed<T> : launch_flow_conv_resident<T>;
  launch(call.inputs, parameters, call.images, multiprocessors, stream);
}

}  // namespace

bool has_flow_conv(int device) { return has_rows_conv(device); }

void launch_flow_conv(const FlowConvCall& call, ElementType type, gpu::StreamView stream) {
  if (!is_flow_conv(FlowConvLayout::kKernel, call.inputs, call.outputs))
    refuse("a convolution that is none of SPyNet's");
  const FlowConvLayout layout{call.inputs, call.outputs};
  FlowConvParameters parameters{};
  // With 8 channels the last tap has a neighbour that counts for nothing, but is read. With two
  // outputs no pixels are brought but those of the product's row.
  const int halo = FlowConvLayout::kKernel - 1;
  const int box = call.outputs == 2  ? kFlowStrip
                  : call.inputs == 8 ? kFlowStrip + halo + 2
                                     : kFlowStrip + halo;
  parameters.strip = call.outputs == 2 ? kFlowStrip - halo : kFlowStrip;
  parameters.source = map_of(call, call.source, call.inputs, layout.part, box, type);
  if (call.outputs > 2) {
    parameters.out = map_of(call, call.out, call.outputs, call.outputs, kFlowStrip, type);
  } else {
    parameters.base = call.base;
    parameters.flow = static_cast<float*>(call.out);
  }
  parameters.weights = static_cast<const unsigned char*>(call.weights);
  parameters.bias = call.bias;
  parameters.height = call.height;
  parameters.width = call.width;
  parameters.strips = (call.width + parameters.strip - 1) / parameters.strip;
  if (type == ElementType::kHalf) return dispatch<__half>(call, parameters, stream);
  if (type == ElementType::kBfloat16) return dispatch<__nv_bfloat16>(call, parameters, stream);
  refuse("flows are found in half or bfloat16");
}

}  // namespace vsr::kernels
