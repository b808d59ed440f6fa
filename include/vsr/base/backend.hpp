// Which implementation of the network computes.
#pragma once

#include <string>

namespace vsr {

// kReference: LibTorch, on any device in any precision. kFused: our own kernels, on GPUs from sm_80
// on, in fp16 and bf16. kAuto: fused where it can.
enum class Backend { kAuto, kReference, kFused };

// "auto", "reference", "fused".
std::string to_string(Backend backend);

}  // namespace vsr
