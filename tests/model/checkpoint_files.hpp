// Makes checkpoints at test time, byte by byte: pickles, both layouts of torch.save, safetensors,
// and whole small networks. Also what the tests of the reader share.
#pragma once

#include "vsr/model/checkpoint.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::model::test {

// Pieces of a pickle; each leaves one object on the stack.
std::string pickle_text(std::string_view text);
std::string pickle_int(std::int64_t value);
std::string pickle_tuple(const std::vector<std::string>& items);
std::string pickle_integers(const std::vector<std::int64_t>& values);
std::string pickle_global(std::string_view module, std::string_view name);
std::string pickle_dict(const std::vector<std::pair<std::string, std::string>>& items);
// With a BUILD of _metadata, as state_dict() has it.
std::string pickle_ordered_dict(const std::vector<std::pair<std::string, std::string>>& items);

struct TensorSpec {
  std::string storage_type = "FloatStorage";
  std::string storage_key = "0";
  std::int64_t storage_elements = 0;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> stride;  // empty: contiguous
  bool legacy = false;               // persistent ids of six parts
};

std::string pickle_tensor(const TensorSpec& spec);
// PROTO, the object, STOP.
std::string whole_pickle(const std::string& object, int protocol = 2);

struct ZipOptions {
  bool descriptors = true;  // sizes and CRCs behind the data, zeros in the local headers
  bool zip64 = false;       // every size and place in 64 bits
  bool crcs = true;         // false: all zero
  std::string comment;
};

using Entries = std::vector<std::pair<std::string, std::string>>;
std::string zip_file(const Entries& entries, const ZipOptions& options = {});
// data.pkl, byteorder, data/KEY..., version under one root.
Entries torch_entries(const std::string& pickle,
                      const std::map<std::string, std::string>& storages);

// `storages`: key, element count, bytes; in this order.
struct LegacyStorage {
  std::string key;
  std::int64_t elements = 0;
  std::string bytes;
};

std::string legacy_file(const std::string& object, const std::vector<LegacyStorage>& storages);
std::string safetensors_file(const std::string& header, const std::string& data);

// Every tensor written out, under its key.
std::string safetensors_of(const std::map<std::string, Tensor>& tensors);

std::string float_bytes(const std::vector<float>& values);

// A whole network whose tensors are contiguous views of one storage of `storage()` values: small
// files, and every value known.
class TestNetwork {
 public:
  explicit TestNetwork(const NetworkShape& shape);

  const NetworkShape& shape() const { return shape_; }

  const std::vector<float>& storage() const { return storage_; }

  // Key, without prefix, to shape and offset.
  struct View {
    std::vector<std::int64_t> shape;
    std::int64_t offset = 0;
  };

  const std::map<std::string, View>& views() const { return views_; }

  // The items of its dict, each key with `prefix` before it.
  std::vector<std::pair<std::string, std::string>> items(const std::string& prefix,
                                                         bool legacy = false) const;
  std::string zip_of(const std::string& object, const ZipOptions& options = {}) const;
  std::string legacy_of(const std::string& object) const;
  // Every tensor written out.
  std::string safetensors(const std::string& prefix) const;
  // Fails the current test where `checkpoint` differs.
  void expect_equal(const Checkpoint& checkpoint) const;

 private:
  NetworkShape shape_;
  std::vector<float> storage_;
  std::map<std::string, View> views_;
};

// Writes `content` to a file in `folder` and gives its path.
std::filesystem::path put_file(const std::filesystem::path& folder,
                               const std::string& name,
                               const std::string& content);

// What `step` throws as Error(kModel): its message, or "" when it throws nothing. Anything else
// that it throws fails the test.
std::string refusal_of(const std::function<void()>& step);
// The same of read_tensor_file() and then Checkpoint::read().
std::string refusal_of_tensors(const std::filesystem::path& path);
std::string refusal_of_network(const std::filesystem::path& path);

}  // namespace vsr::model::test
