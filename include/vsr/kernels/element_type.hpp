// Number format of feature maps in memory. Coordinates, flows and sums are fp32 in all of them.
#pragma once

namespace vsr::kernels {

enum class ElementType { kFloat, kHalf, kBfloat16 };

}  // namespace vsr::kernels
