// Stands in for the device kernels in a build without CUDA, where nothing can call them: there is
// no device memory to call them with.
#include "vsr/base/error.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_warp.hpp"

namespace vsr::kernels {

namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::kInternal, "a GPU kernel was asked for in a build without CUDA");
}

}  // namespace

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

}  // namespace vsr::kernels
