#include "fused/device.hpp"

#include "backends.hpp"
#include "fused/engine.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/kernels/conv_rows.hpp"

namespace vsr::model::fused {

std::string why_not(const NetworkShape& shape, const DeviceSpec& device, Precision precision) {
  if (!device.cuda) return "needs a GPU";
  if (precision != Precision::kFp16 && precision != Precision::kBf16) {
    return format("computes in fp16 and bf16, not in {}", to_string(precision));
  }
  if (!Engine::supports(shape)) return "takes widths that are multiples of 8, and a block at least";
  // Estimates are made for devices that are not here, too.
  if (device.index >= gpu::device_count()) return {};
  const gpu::DeviceInfo info = gpu::device_info(device.index);
  if (info.compute_major < 8) {
    return format("needs a GPU of compute capability 8.0 or later, and {} has {}.{}",
                  info.name,
                  info.compute_major,
                  info.compute_minor);
  }
  return {};
}

Compute make_compute(Precision precision, gpu::StreamView stream) {
  return {.stream = stream,
          .type = precision == Precision::kBf16 ? kernels::ElementType::kBfloat16
                                                : kernels::ElementType::kHalf,
          .hopper = kernels::has_rows_conv(stream.device)};
}

}  // namespace vsr::model::fused
