// Queues the network's kernels. A bench may watch: it is told of each just before.
#pragma once

#include "fused/map.hpp"
#include "vsr/kernels/alignment_context.hpp"
#include "vsr/kernels/conv.hpp"
#include "vsr/kernels/conv_picture.hpp"
#include "vsr/kernels/conv_rows.hpp"
#include "vsr/kernels/deform_align.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_conv.hpp"
#include "vsr/kernels/flow_levels.hpp"
#include "vsr/kernels/residual_block.hpp"
#include "vsr/kernels/space_to_depth.hpp"

#include <cstdint>
#include <variant>

namespace vsr::model::fused {

// A kernel that computes next to nothing: so many bytes are read and written.
struct Move {
  const char* kernel;
  std::int64_t bytes;
};

using Launch = std::variant<const kernels::ConvCall*,
                            const kernels::RowsConvCall*,
                            const kernels::ResidualBlockCall*,
                            const kernels::FlowConvCall*,
                            const kernels::PictureConvCall*,
                            const kernels::DeformAlignCall*,
                            const kernels::AlignmentContextCall*,
                            const kernels::FlowPyramidCall*,
                            const kernels::FlowInputCall*,
                            const kernels::FlowOutputCall*,
                            const Move*>;

class Observer {
 public:
  virtual ~Observer() = default;
  // What follows belongs to this part of the network.
  virtual void begin_part(const char* name) = 0;
  virtual void launch(const Launch& launch) = 0;
};

template <typename Call>
void tell(const Compute& compute, const Call& call) {
  if (compute.observer != nullptr) compute.observer->launch(&call);
}

inline void launch(const Compute& compute, const kernels::ConvCall& call) {
  tell(compute, call);
  kernels::launch_conv(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::RowsConvCall& call) {
  tell(compute, call);
  kernels::launch_rows_conv(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::ResidualBlockCall& call) {
  tell(compute, call);
  kernels::launch_residual_block(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::FlowConvCall& call) {
  tell(compute, call);
  kernels::launch_flow_conv(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::PictureConvCall& call) {
  tell(compute, call);
  kernels::launch_picture_conv(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::DeformAlignCall& call) {
  tell(compute, call);
  kernels::launch_deform_align(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::AlignmentContextCall& call) {
  tell(compute, call);
  kernels::launch_alignment_context(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::FlowPyramidCall& call) {
  tell(compute, call);
  kernels::launch_flow_pyramid(call, compute.stream);
}

inline void launch(const Compute& compute, const kernels::FlowInputCall& call) {
  tell(compute, call);
  kernels::launch_flow_input(call, compute.type, compute.stream);
}

inline void launch(const Compute& compute, const kernels::FlowOutputCall& call) {
  tell(compute, call);
  kernels::launch_flow_output(call, compute.stream);
}

// See vsr/kernels for these: pictures are fp32, maps of the compute's type.

inline void launch_picture_map(const Compute& compute, const float* picture, const Map& out) {
  tell(compute, Move{"picture_map", 3 * 4 * out.image_pixels() + 2 * out.image_elements()});
  kernels::launch_picture_map(
      picture, out.height, out.width, out.data, compute.type, compute.stream);
}

inline void launch_picture_blocks(const Compute& compute, const float* picture, const Map& out) {
  tell(compute, Move{"picture_blocks", 4 * 3 * 4 * out.image_pixels() + 2 * out.image_elements()});
  kernels::launch_picture_blocks(
      picture, out.height, out.width, out.data, compute.type, compute.stream);
}

inline void launch_space_to_depth(const Compute& compute,
                                  const Map& map,
                                  int channels,
                                  const Map& out) {
  tell(compute, Move{"space_to_depth", 2 * (map.image_elements() + out.image_elements())});
  kernels::launch_space_to_depth(map.data,
                                 out.height,
                                 out.width,
                                 map.channels,
                                 channels,
                                 out.data,
                                 compute.type,
                                 compute.stream);
}

inline void launch_quarter(
    const Compute& compute, const float* picture, int height, int width, float* out) {
  tell(compute, Move{"quarter", 17 * 3 * 4 * std::int64_t{height} * width});
  kernels::launch_quarter(picture, height, width, out, compute.stream);
}

inline void launch_align_columns(const Compute& compute,
                                 const kernels::DeviceAlignInput& input,
                                 const kernels::PixelRange& pixels) {
  const std::int64_t elements =
      2 * input.map_channels + kernels::kDeformHeadChannels +
      kernels::kDeformTaps * 2 * input.map_channels;  // of a pixel, beside two flows
  tell(compute, Move{"align_columns", (pixels.end - pixels.begin) * (2 * elements + 16)});
  kernels::launch_align_columns(input, pixels, compute.type, compute.stream);
}

}  // namespace vsr::model::fused
