#include "vsr/model/checkpoint.hpp"

#include "checkpoint/network_keys.hpp"
#include "checkpoint/refusal.hpp"
#include "checkpoint/tensor_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace vsr::model {

namespace {

Tensor read_tensor(const TensorFile& file, const NamedTensor& named) {
  Tensor tensor{named.tensor->view.shape, widen_to_float(file.read(*named.tensor))};
  const auto odd = std::find_if(tensor.values.begin(), tensor.values.end(), [](float value) {
    return !std::isfinite(value);
  });
  if (odd != tensor.values.end()) {
    refuse(format("key {}: value {} is {}; every weight must be finite",
                  in_quotes(named.name),
                  odd - tensor.values.begin(),
                  std::isnan(*odd) ? "NaN" : "infinite"));
  }
  return tensor;
}

// Published checkpoints are named "...-db622b2f.pth" after their SHA-256. The legacy layout has no
// checksum of its own, so a mismatch is worth a line.
void compare_with_name(const std::filesystem::path& path, const std::string& sha256) {
  constexpr std::size_t kDigits = 8;
  const std::string stem = path.stem().string();
  if (stem.size() <= kDigits || stem[stem.size() - kDigits - 1] != '-') return;
  const std::string_view digits = std::string_view(stem).substr(stem.size() - kDigits);
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return;
  if (!sha256.starts_with(digits)) {
    log::warning("model",
                 "{}: its name says SHA-256 {}..., its content has {}...; it may be damaged",
                 path.string(),
                 digits,
                 sha256.substr(0, kDigits));
  }
}

}  // namespace

Checkpoint::Checkpoint(const TensorFile& file) : sha256_(file.sha256()) {
  const NetworkIndex index = network_tensors_in(file.index());
  shape_ = network_shape_of(index);
  check_network(shape_, index);
  for (const auto& [key, named] : index) tensors_.emplace(key, read_tensor(file, named));
}

Checkpoint Checkpoint::read(const std::filesystem::path& path) {
  try {
    Checkpoint checkpoint{TensorFile(path)};
    compare_with_name(path, checkpoint.sha256_);
    return checkpoint;
  } catch (Error& error) {
    error.add_context(path.string());
    throw;
  }
}

Checkpoint Checkpoint::read(std::span<const std::byte> content, const std::string& name) {
  try {
    return Checkpoint{TensorFile(content)};
  } catch (Error& error) {
    error.add_context(name);
    throw;
  }
}

const Tensor& Checkpoint::tensor(const std::string& key) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end()) {
    throw Error(ErrorCode::kInternal, format("no tensor '{}' in a {} network", key, describe()));
  }
  return found->second;
}

std::string Checkpoint::describe() const {
  return format("x{} c{} n{}", shape_.scale(), shape_.mid_channels, shape_.num_blocks);
}

}  // namespace vsr::model
