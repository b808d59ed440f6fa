// The meaning of the few Python globals that a checkpoint of tensors needs. Everything else is
// refused by name.
#pragma once

#include "checkpoint/pickle_reader.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace vsr::model {

enum class TorchGlobal : std::int64_t {
  kOrderedDict,       // collections.OrderedDict
  kRebuildTensor,     // torch._utils._rebuild_tensor_v2
  kRebuildParameter,  // torch._utils._rebuild_parameter
  kStorageType,       // torch.FloatStorage and the like
};

// Answers a pickle's GLOBAL, BINPERSID, REDUCE and BUILD on its document. Ids are of that document.
class TorchObjects {
 public:
  explicit TorchObjects(PickleDocument& document) : document_(document) {}

  // The node of a known global; refuses any other. `name` must stay readable.
  PickleNode global(std::string_view module, std::string_view name) const;
  // ('storage', type, key, device, elements[, None]).
  PickleNode persistent(PickleId id);
  // `function(*arguments)`: a fresh node, or a copy of the parameter's own tensor node.
  PickleNode reduce(PickleId function, PickleId arguments);
  // `object.__setstate__(state)`: only an OrderedDict's `_metadata`, which is dropped.
  void build(PickleId object, PickleId state) const;

 private:
  const PickleNode& argument(PickleId tuple, std::size_t index, PickleKind kind) const;
  PickleNode rebuild_tensor(PickleId arguments);
  std::vector<std::int64_t> integers(PickleId tuple) const;

  PickleDocument& document_;
  std::map<std::string, std::size_t, std::less<>> storage_of_key_;
};

}  // namespace vsr::model
