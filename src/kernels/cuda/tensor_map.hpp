// Descriptions of maps for the copy engine of Hopper.
#pragma once

#include "vsr/kernels/element_type.hpp"

#include <cuda.h>

#include <cstdint>

namespace vsr::kernels {

// Up to five dimensions, innermost first; `strides` in bytes, of all but the innermost.
struct TensorBox {
  const void* data = nullptr;
  int dimensions = 0;
  std::uint64_t sizes[5] = {};
  std::uint64_t strides[4] = {};
  std::uint32_t box[5] = {};  // what one copy brings
};

// Boxes 128, 64 or 32 bytes wide come with the swizzle of that width, others with none; zeros
// outside the tensor. Throws Error(kGpu).
CUtensorMap tensor_map(const TensorBox& tensor, ElementType type);

}  // namespace vsr::kernels
