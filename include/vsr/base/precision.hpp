// Number formats the network can compute in. Accumulation and coordinates are fp32 in all of them.
#pragma once

#include <string>

namespace vsr {

enum class Precision { kFp32, kTf32, kBf16, kFp16 };

// "fp32", "tf32", "bf16", "fp16".
std::string to_string(Precision precision);

}  // namespace vsr
