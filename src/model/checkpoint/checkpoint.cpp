#include "vsr/model/checkpoint.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

namespace vsr::model {

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
