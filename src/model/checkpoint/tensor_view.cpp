#include "checkpoint/tensor_view.hpp"

#include "checkpoint/refusal.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace vsr::model {

namespace {

struct DTypeNames {
  DType dtype;
  std::uint64_t bytes;
  std::string_view name;
  std::string_view torch_storage;
  std::string_view safetensors;
};

constexpr std::array<DTypeNames, 10> kDTypes = {{
    {DType::kFloat64, 8, "float64", "DoubleStorage", "F64"},
    {DType::kFloat32, 4, "float32", "FloatStorage", "F32"},
    {DType::kFloat16, 2, "float16", "HalfStorage", "F16"},
    {DType::kBFloat16, 2, "bfloat16", "BFloat16Storage", "BF16"},
    {DType::kInt64, 8, "int64", "LongStorage", "I64"},
    {DType::kInt32, 4, "int32", "IntStorage", "I32"},
    {DType::kInt16, 2, "int16", "ShortStorage", "I16"},
    {DType::kInt8, 1, "int8", "CharStorage", "I8"},
    {DType::kUInt8, 1, "uint8", "ByteStorage", "U8"},
    {DType::kBool, 1, "bool", "BoolStorage", "BOOL"},
}};

const DTypeNames& names_of(DType dtype) { return kDTypes.at(static_cast<std::size_t>(dtype)); }

// a*b and a+b of numbers >= 0.
std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) refuse("overflow: its size does not fit 63 bits");
  return result;
}

std::int64_t plus(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) refuse("overflow: its size does not fit 63 bits");
  return result;
}

}  // namespace

std::string_view to_string(DType dtype) { return names_of(dtype).name; }

std::uint64_t size_bytes(DType dtype) { return names_of(dtype).bytes; }

bool is_floating(DType dtype) {
  return dtype == DType::kFloat64 || dtype == DType::kFloat32 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

std::optional<DType> dtype_of_torch_storage(std::string_view name) {
  for (const auto& known : kDTypes) {
    if (known.torch_storage == name) return known.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_of_safetensors(std::string_view name) {
  for (const auto& known : kDTypes) {
    if (known.safetensors == name) return known.dtype;
  }
  return std::nullopt;
}

ViewExtent check_view(const TensorView& view, std::uint64_t available) {
  if (view.shape.size() != view.stride.size()) {
    refuse(format("{} sizes but {} strides", view.shape.size(), view.stride.size()));
  }
  if (view.first < 0) refuse(format("negative storage offset {}", view.first));
  bool empty = false;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    if (view.shape[i] < 0) refuse(format("negative size {}", view.shape[i]));
    if (view.stride[i] < 0) refuse(format("negative stride {}", view.stride[i]));
    empty = empty || view.shape[i] == 0;
  }
  // Even an empty tensor's other sizes must multiply without overflow: strides are made of them.
  std::int64_t elements = static_cast<std::int64_t>(size_bytes(view.dtype));
  for (const std::int64_t size : view.shape)
    elements = times(elements, std::max<std::int64_t>(size, 1));
  if (empty) return {};
  std::int64_t last = 0;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    last = plus(last, times(view.shape[i] - 1, view.stride[i]));
  }
  const std::int64_t end = plus(plus(view.first, last), 1);
  if (static_cast<std::uint64_t>(end) > available) {
    refuse(format("outside its storage: reaches element {} of {}", end - 1, available));
  }
  return {static_cast<std::uint64_t>(elements) / size_bytes(view.dtype),
          static_cast<std::uint64_t>(last) + 1};
}

std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> stride(shape.size());
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    stride[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return stride;
}

bool is_contiguous(const TensorView& view) {
  std::int64_t step = 1;
  for (std::size_t i = view.shape.size(); i-- > 0;) {
    if (view.shape[i] != 1 && view.stride[i] != step) return false;
    step *= std::max<std::int64_t>(view.shape[i], 1);
  }
  return true;
}

}  // namespace vsr::model
