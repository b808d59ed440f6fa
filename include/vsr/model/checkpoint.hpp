// Reads BasicVSR++ weights: `.pth` (zip and legacy pickle) and `.safetensors`. Nothing in a file is
// executed: the pickle reader knows tensors and plain containers and refuses every other global.
// Nothing is allocated merely because a file announces it.
//
// Every fault is an Error(kModel) naming the file, the fault and the place (entry or key).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vsr::model {

class TensorFile;  // the room's own

// One tensor, widened to float32, contiguous, row-major.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

// What a checkpoint is, read off its shapes alone (docs/network.md, section 9).
struct NetworkShape {
  bool low_res_input = true;  // true: x4; false: x1 (denoise, deblur, decompress)
  int mid_channels = 0;
  int num_blocks = 0;

  int scale() const { return low_res_input ? 4 : 1; }

  bool operator==(const NetworkShape&) const = default;
};

// A whole BasicVSR++ network: every key of its section 9, none missing, none left over, every value
// finite. Immutable; may be read from any thread.
class Checkpoint {
 public:
  // Of no tensors, to be assigned to.
  Checkpoint() = default;

  // `path` decides nothing by its ending; the content does.
  static Checkpoint read(const std::filesystem::path& path);
  // The same of a file's content in memory; `name` stands for it in errors.
  static Checkpoint read(std::span<const std::byte> content, const std::string& name);

  const NetworkShape& shape() const { return shape_; }

  // By the key without prefix, as in "spynet.mean". Throws Error(kInternal) on an unknown key.
  const Tensor& tensor(const std::string& key) const;

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

  // SHA-256 of the file, 64 hex digits.
  const std::string& sha256() const { return sha256_; }

  // "x4 c64 n7".
  std::string describe() const;

 private:
  explicit Checkpoint(const TensorFile& file);

  NetworkShape shape_;
  std::map<std::string, Tensor> tensors_;
  std::string sha256_;
};

}  // namespace vsr::model
