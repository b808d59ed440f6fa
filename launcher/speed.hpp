// How fast this machine is at this network: a short window, for estimates.
#pragma once

#include "vsr/model/checkpoint.hpp"
#include "vsr/model/upscaler.hpp"

namespace vsr::launcher {

// GFLOP a second of the network on the device and in the precision of `options`, over a few small
// made-up frames. Takes a second or two. An estimate: a GPU does better on larger pictures.
double measure_gflop_per_s(const model::Checkpoint& checkpoint,
                           const model::UpscalerOptions& options);

}  // namespace vsr::launcher
