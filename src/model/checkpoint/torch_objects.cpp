#include "checkpoint/torch_objects.hpp"

#include "checkpoint/refusal.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

namespace vsr::model {

namespace {

// Keys are numbers in decimal; a long one compared a million times would take its time.
constexpr std::size_t kMostKeyBytes = 256;

PickleNode node(PickleKind kind, std::int64_t integer = 0, std::string_view text = {}) {
  return {kind, integer, text, {}};
}

}  // namespace

PickleNode TorchObjects::global(std::string_view module, std::string_view name) const {
  const auto known = [](TorchGlobal which) {
    return node(PickleKind::kGlobal, static_cast<std::int64_t>(which));
  };
  if (module == "collections" && name == "OrderedDict") return known(TorchGlobal::kOrderedDict);
  if (module == "torch._utils" && name == "_rebuild_tensor_v2") {
    return known(TorchGlobal::kRebuildTensor);
  }
  if (module == "torch._utils" && name == "_rebuild_parameter") {
    return known(TorchGlobal::kRebuildParameter);
  }
  const std::string full =
      std::string(module.substr(0, 200)) + "." + std::string(name.substr(0, 200));
  if (module == "torch" && name.ends_with("Storage")) {
    if (!dtype_of_torch_storage(name)) {
      refuse(format("dtype of storage type {} cannot be read", in_quotes(full)));
    }
    return node(PickleKind::kGlobal, static_cast<std::int64_t>(TorchGlobal::kStorageType), name);
  }
  refuse(
      format("global {} is not allowed: only tensors and plain containers are read, and nothing "
             "in a file is run; save the state_dict alone",
             in_quotes(full)));
}

const PickleNode& TorchObjects::argument(PickleId tuple, std::size_t index, PickleKind kind) const {
  const PickleNode& value = document_.at(document_.at(tuple).items[index]);
  if (value.kind != kind) refuse(format("argument {} is of the wrong kind", index));
  return value;
}

PickleNode TorchObjects::persistent(PickleId id) {
  const PickleNode& tuple = document_.at(id);
  const std::size_t parts = tuple.items.size();
  if (tuple.kind != PickleKind::kTuple || (parts != 5 && parts != 6) ||
      argument(id, 0, PickleKind::kText).text != "storage") {
    refuse("a persistent id that names no storage");
  }
  if (parts == 6)
    argument(id, 5, PickleKind::kNone);  // a view of a storage, unused since torch 0.4
  const PickleNode& type = argument(id, 1, PickleKind::kGlobal);
  const auto stored_as = dtype_of_torch_storage(type.text);
  if (type.integer != static_cast<std::int64_t>(TorchGlobal::kStorageType) || !stored_as) {
    refuse("a storage of no known type");
  }
  const DType dtype = *stored_as;
  const std::string_view key = argument(id, 2, PickleKind::kText).text;
  if (key.size() > kMostKeyBytes) refuse(format("a storage key of {} bytes", key.size()));
  argument(id, 3, PickleKind::kText);  // the device it was on: no matter here
  const std::int64_t elements = argument(id, 4, PickleKind::kInt).integer;
  std::int64_t bytes = 0;
  if (elements < 0 ||
      __builtin_mul_overflow(elements, static_cast<std::int64_t>(size_bytes(dtype)), &bytes)) {
    refuse(format("storage {}: {} elements are impossible", in_quotes(key), elements));
  }
  const auto known = storage_of_key_.find(key);
  if (known != storage_of_key_.end()) {
    const PickledStorage& storage = document_.storages[known->second];
    if (storage.dtype != dtype || storage.elements != static_cast<std::uint64_t>(elements)) {
      refuse(format("storage {} is named twice, with two sizes or dtypes", in_quotes(key)));
    }
    return node(PickleKind::kStorage, static_cast<std::int64_t>(known->second));
  }
  const std::size_t index = document_.storages.size();
  document_.storages.push_back({std::string(key), dtype, static_cast<std::uint64_t>(elements)});
  storage_of_key_.emplace(key, index);
  return node(PickleKind::kStorage, static_cast<std::int64_t>(index));
}

PickleNode TorchObjects::reduce(PickleId function, PickleId arguments) {
  const PickleNode& callee = document_.at(function);
  const PickleNode& tuple = document_.at(arguments);
  if (callee.kind != PickleKind::kGlobal || tuple.kind != PickleKind::kTuple) {
    refuse("REDUCE of something that is no known global");
  }
  switch (static_cast<TorchGlobal>(callee.integer)) {
    case TorchGlobal::kOrderedDict:
      if (!tuple.items.empty()) refuse("OrderedDict with arguments");
      return node(PickleKind::kOrderedDict);
    case TorchGlobal::kRebuildTensor:
      return rebuild_tensor(arguments);
    case TorchGlobal::kRebuildParameter:
      if (tuple.items.size() != 3) refuse("_rebuild_parameter needs 3 arguments");
      return argument(arguments, 0, PickleKind::kTensor);
    case TorchGlobal::kStorageType:
      break;
  }
  refuse("REDUCE of a storage type");
}

PickleNode TorchObjects::rebuild_tensor(PickleId arguments) {
  const std::vector<PickleId>& items = document_.at(arguments).items;
  // (storage, offset, size, stride, requires_grad, backward_hooks[, metadata])
  if (items.size() != 6 && items.size() != 7) refuse("_rebuild_tensor_v2 needs 6 or 7 arguments");
  if (items.size() == 7) {
    const PickleNode& metadata = document_.at(items[6]);  // may ask for negated values
    const bool nothing = metadata.kind == PickleKind::kNone ||
                         (document_.is_dict(items[6]) && metadata.items.empty());
    if (!nothing) refuse("a tensor with metadata of its own");
  }
  PickledTensor tensor;
  tensor.storage = static_cast<std::size_t>(argument(arguments, 0, PickleKind::kStorage).integer);
  const PickledStorage& storage = document_.storages[tensor.storage];
  tensor.view.dtype = storage.dtype;
  tensor.view.first = argument(arguments, 1, PickleKind::kInt).integer;
  tensor.view.shape = integers(items[2]);
  tensor.view.stride = integers(items[3]);
  try {
    tensor.extent = check_view(tensor.view, storage.elements);
  } catch (Error& error) {
    error.add_context(format("tensor over storage {}", in_quotes(storage.key)));
    throw;
  }
  document_.tensors.push_back(std::move(tensor));
  return node(PickleKind::kTensor, static_cast<std::int64_t>(document_.tensors.size() - 1));
}

std::vector<std::int64_t> TorchObjects::integers(PickleId id) const {
  const PickleNode& tuple = document_.at(id);
  if (tuple.kind != PickleKind::kTuple || tuple.items.size() > kMostDimensions) {
    refuse("a tensor's sizes or strides are no tuple of at most 16 integers");
  }
  std::vector<std::int64_t> values;
  values.reserve(tuple.items.size());
  for (std::size_t i = 0; i < tuple.items.size(); ++i) {
    values.push_back(argument(id, i, PickleKind::kInt).integer);
  }
  return values;
}

void TorchObjects::build(PickleId object, PickleId state) const {
  const PickleNode& attributes = document_.at(state);
  const bool metadata_only = document_.is_dict(state) && attributes.items.size() == 2 &&
                             document_.at(attributes.items[0]).kind == PickleKind::kText &&
                             document_.at(attributes.items[0]).text == "_metadata";
  if (document_.at(object).kind != PickleKind::kOrderedDict || !metadata_only) {
    refuse("BUILD of something else than the _metadata of an OrderedDict");
  }
}

}  // namespace vsr::model
