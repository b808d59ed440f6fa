// The two layouts of torch.save: a zip of a pickle and one record a storage, and the legacy one, a
// row of pickles with the storages behind them (what the published checkpoints are).
#pragma once

#include "checkpoint/file_bytes.hpp"
#include "checkpoint/tensor_view.hpp"

#include <cstddef>
#include <span>

namespace vsr::model {

// Both give the tensors of the dict that holds the weights: `state_dict`, else `params_ema`, else
// `params`, else the object itself. All storages are known to be there in full size; in a zip every
// CRC-32 was right.
TensorIndex index_torch_zip(const FileBytes& file);
TensorIndex index_torch_legacy(const FileBytes& file);

// By the first bytes: any pickle of protocol 2 to 5; index_torch_legacy() looks closer.
bool recognises_pickle(std::span<const std::byte> head);

}  // namespace vsr::model
