// Any file of tensors that the project reads: `.pth` (zip or legacy) and `.safetensors`. The
// content decides which, never the name's ending.
#pragma once

#include "checkpoint/file_bytes.hpp"
#include "checkpoint/tensor_view.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vsr::model {

// A tensor as it is in the file.
struct RawTensor {
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> stride;  // in elements, as the file's view had them
  std::vector<std::byte> values;     // row-major whatever the strides; little-endian
};

// An open file whose container was checked from end to end: every tensor it lists can be read, and
// all of them together take no more than a small multiple of the file's bytes.
// Threads: const, may be read from any.
class TensorFile {
 public:
  // Throws Error(kModel) without the file's name; Checkpoint and read_tensor_file() add it.
  explicit TensorFile(const std::filesystem::path& path);
  // `memory`, a file's content, must outlive it.
  explicit TensorFile(std::span<const std::byte> memory);

  const TensorIndex& index() const { return index_; }

  // Reads the values of one entry of index().
  RawTensor read(const StoredTensor& tensor) const;

  std::string sha256() const { return file_.sha256(); }

 private:
  FileBytes file_;
  TensorIndex index_;
};

// Every tensor of a file, by key as the file has it.
std::map<std::string, RawTensor> read_tensor_file(const std::filesystem::path& path);

// The values as float32: floating dtypes only (kInternal otherwise). float64 is rounded.
std::vector<float> widen_to_float(const RawTensor& tensor);

}  // namespace vsr::model
