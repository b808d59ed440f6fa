// The device that the fused back end works on.
#pragma once

#include "fused/map.hpp"
#include "vsr/base/precision.hpp"
#include "vsr/model/device_spec.hpp"

namespace vsr::model::fused {

// `stream` is borrowed. Throws Error(kGpu).
Compute make_compute(Precision precision, gpu::StreamView stream);

}  // namespace vsr::model::fused
