// The .safetensors layout: 8 bytes of header length, a JSON header, then the tensors' bytes.
#pragma once

#include "checkpoint/file_bytes.hpp"
#include "checkpoint/tensor_view.hpp"

#include <cstddef>
#include <span>

namespace vsr::model {

// By the first bytes of a file: a JSON object behind a length below 2^40.
bool recognises_safetensors(std::span<const std::byte> head);
// All tensors. Their data must fill the file behind the header, with no gap and no overlap.
TensorIndex index_safetensors(const FileBytes& file);

}  // namespace vsr::model
