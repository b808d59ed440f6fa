// What a checkpoint says of one tensor before any value is read: dtype, shape, strides, place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::model {

enum class DType {
  kFloat64,
  kFloat32,
  kFloat16,
  kBFloat16,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUInt8,
  kBool,
};

// As torch writes it: "float32", "bool".
std::string_view to_string(DType dtype);
std::uint64_t size_bytes(DType dtype);
bool is_floating(DType dtype);
// "torch.FloatStorage" without "torch.", and safetensors' "F32".
std::optional<DType> dtype_of_torch_storage(std::string_view name);
std::optional<DType> dtype_of_safetensors(std::string_view name);

// A view of a piece of memory: element (i, j, ...) lies at first + i*stride[0] + j*stride[1] + ...
// Strides and `first` count elements; strides may be 0 (expanded) or in any order (transposed).
struct TensorView {
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> stride;
  std::int64_t first = 0;
};

struct ViewExtent {
  std::uint64_t elements = 0;  // product of the shape
  std::uint64_t span = 0;      // elements of memory from `first` to the last one in use
};

// Checks a view whose numbers come from a file against memory of `available` elements: ranks agree,
// nothing negative, nothing overflows, nothing outside. Refuses otherwise. Afterwards both members
// of the extent fit 63 bits even when counted in bytes.
// REQUIRES: `available` elements, in bytes, fit 63 bits.
ViewExtent check_view(const TensorView& view, std::uint64_t available);

// More dimensions than any tensor of a network has; more are refused, so that a shape written once
// and used a thousand times costs nothing.
inline constexpr std::size_t kMostDimensions = 16;

// A tensor in a file: its checked view of a storage, and where that storage begins.
struct StoredTensor {
  TensorView view;
  ViewExtent extent;
  std::uint64_t storage_offset = 0;  // bytes from the start of the file
};

// By key, as the file has it.
using TensorIndex = std::map<std::string, StoredTensor>;

// Row-major strides, as torch counts them (an empty dimension counts as 1).
// REQUIRES: the product of the shape fits 63 bits.
std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& shape);
bool is_contiguous(const TensorView& view);

}  // namespace vsr::model
