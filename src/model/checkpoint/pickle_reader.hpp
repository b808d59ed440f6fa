// Reads a pickle as data. Objects become nodes in one array and refer to each other by index, so
// nothing recurses: not parsing, not freeing; a cycle or 100,000 nested lists are harmless.
// Python's globals are names here: three functions and ten storage types are known
// (torch_objects.hpp), any other is refused where it appears, so nothing can be called.
#pragma once

#include "checkpoint/tensor_view.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::model {

using PickleId = std::uint32_t;

enum class PickleKind : std::uint8_t {
  kNone,
  kBool,
  kInt,
  kBigInt,  // more than 64 bits; `text` holds its little-endian bytes
  kFloat,
  kText,
  kBytes,
  kTuple,
  kList,
  kDict,
  kOrderedDict,
  kGlobal,   // `integer`: TorchGlobal; `text`: a storage type's name
  kStorage,  // `integer`: index into PickleDocument::storages
  kTensor,   // `integer`: index into PickleDocument::tensors
};

struct PickleNode {
  PickleKind kind = PickleKind::kNone;
  std::int64_t integer = 0;
  std::string_view text;        // into the bytes that were parsed
  std::vector<PickleId> items;  // dicts: key, value, key, value, ...
};

// One storage named by persistent ids; all ids of a key agree.
struct PickledStorage {
  std::string key;
  DType dtype = DType::kFloat32;
  std::uint64_t elements = 0;  // as the pickle says; the file must still prove it
};

struct PickledTensor {
  std::size_t storage = 0;
  TensorView view;
  ViewExtent extent;
};

struct PickleDocument {
  std::vector<PickleNode> nodes;
  std::vector<PickledStorage> storages;
  std::vector<PickledTensor> tensors;
  PickleId root = 0;
  std::size_t bytes_read = 0;  // up to and with STOP; more may follow

  const PickleNode& at(PickleId id) const { return nodes[id]; }

  bool is_dict(PickleId id) const {
    return at(id).kind == PickleKind::kDict || at(id).kind == PickleKind::kOrderedDict;
  }
};

// Parses the pickle (protocols 2 to 5) at the start of `bytes`, which the document goes on viewing.
// Cost is bounded by the bytes that are there, whatever they announce.
PickleDocument read_pickle(std::span<const std::byte> bytes);

// The most bytes a pickle may have: the tensors of a checkpoint lie outside it.
inline constexpr std::uint64_t kMostPickleBytes = 16 << 20;

}  // namespace vsr::model
