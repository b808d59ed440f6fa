// Stands in for the device kernels in a build without CUDA, where nothing can call them: there is
// no device memory to call them with.
#include "colour_calls.hpp"
#include "digest_call.hpp"
#include "vsr/base/error.hpp"
#include "vsr/kernels/conv.hpp"
#include "vsr/kernels/conv_picture.hpp"
#include "vsr/kernels/conv_rows.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_warp.hpp"
#include "vsr/kernels/lanczos.hpp"
#include "vsr/kernels/prores.hpp"

namespace vsr::kernels {

namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::kInternal, "a GPU kernel was asked for in a build without CUDA");
}

}  // namespace

void launch_conv(const ConvCall& /*call*/, ElementType /*type*/, gpu::StreamView /*stream*/) {
  refuse();
}

bool has_rows_conv(int /*device*/) { return false; }

void launch_rows_conv(const RowsConvCall& /*call*/,
                      ElementType /*type*/,
                      gpu::StreamView /*stream*/) {
  refuse();
}

bool has_picture_conv(int /*device*/) { return false; }

void launch_picture_conv(const PictureConvCall& /*call*/,
                         ElementType /*type*/,
                         gpu::StreamView /*stream*/) {
  refuse();
}

void launch_flow_warp(const WarpShape& /*shape*/,
                      WarpBorder /*border*/,
                      ElementType /*type*/,
                      const void* /*input*/,
                      const float* /*flow*/,
                      void* /*out*/,
                      gpu::StreamView /*stream*/) {
  refuse();
}

void launch_align_columns(const DeviceAlignInput& /*input*/,
                          const PixelRange& /*pixels*/,
                          ElementType /*type*/,
                          gpu::StreamView /*stream*/) {
  refuse();
}

void launch_deform_columns(const DeviceDeformInput& /*input*/,
                           const PixelRange& /*pixels*/,
                           ElementType /*type*/,
                           gpu::StreamView /*stream*/) {
  refuse();
}

void start_planes_to_rgb(const PlanesToRgbCall& /*call*/,
                         PlaneLayout /*layout*/,
                         int /*sample_bytes*/,
                         gpu::StreamView /*stream*/) {
  refuse();
}

void start_rgb_to_planes(const RgbToPlanesCall& /*call*/,
                         ElementType /*type*/,
                         PlaneLayout /*layout*/,
                         int /*sample_bytes*/,
                         gpu::StreamView /*stream*/) {
  refuse();
}

void start_digest(const DigestCall& /*call*/, int /*sample_bytes*/, gpu::StreamView /*stream*/) {
  refuse();
}

void launch_lanczos(const RgbView& /*from*/,
                    const DeviceAxis& /*across*/,
                    const DeviceAxis& /*down*/,
                    const MutableRgbView& /*to*/,
                    gpu::StreamView /*stream*/) {
  refuse();
}

void launch_prores_encode(const ProresSettings& /*settings*/,
                          const ProresPicture& /*picture*/,
                          void* /*workspace*/,
                          std::byte* /*packet*/,
                          std::uint32_t* /*packet_bytes*/,
                          gpu::StreamView /*stream*/) {
  refuse();
}

}  // namespace vsr::kernels
