#include "checkpoint_files.hpp"

#include "checkpoint/network_keys.hpp"
#include "checkpoint/tensor_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

namespace vsr::model::test {

namespace {

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value);
  return text;
}

// Bit by bit: slow, and independent of the reader's.
std::uint32_t plain_crc(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

std::int64_t product(const std::vector<std::int64_t>& shape) {
  std::int64_t elements = 1;
  for (const std::int64_t size : shape) elements *= size;
  return elements;
}

std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> stride(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) stride[i - 1] = stride[i] * shape[i];
  return stride;
}

std::string set_items(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string text = "(";
  for (const auto& [key, value] : items) text += pickle_text(key) + value;
  return text + "u";
}

}  // namespace

std::string pickle_text(std::string_view text) {
  return "X" + little(text.size(), 4) + std::string(text);
}

std::string pickle_int(std::int64_t value) {
  return "\x8a\x08" + little(static_cast<std::uint64_t>(value), 8);  // LONG1
}

std::string pickle_tuple(const std::vector<std::string>& items) {
  std::string text = "(";
  for (const auto& item : items) text += item;
  return text + "t";
}

std::string pickle_integers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  for (const std::int64_t value : values) items.push_back(pickle_int(value));
  return pickle_tuple(items);
}

std::string pickle_global(std::string_view module, std::string_view name) {
  return format("c{}\n{}\n", module, name);
}

std::string pickle_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  return "}" + set_items(items);
}

std::string pickle_ordered_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  const std::string empty = pickle_global("collections", "OrderedDict") + ")R";
  const std::string metadata = empty + set_items({{"", pickle_dict({{"version", pickle_int(1)}})}});
  return empty + set_items(items) + pickle_dict({{"_metadata", metadata}}) + "b";
}

std::string pickle_tensor(const TensorSpec& spec) {
  std::vector<std::string> id = {pickle_text("storage"),
                                 pickle_global("torch", spec.storage_type),
                                 pickle_text(spec.storage_key),
                                 pickle_text("cpu"),
                                 pickle_int(spec.storage_elements)};
  if (spec.legacy) id.emplace_back("N");
  const std::string arguments =
      pickle_tuple({pickle_tuple(id) + "Q",
                    pickle_int(spec.offset),
                    pickle_integers(spec.shape),
                    pickle_integers(spec.stride.empty() ? row_major(spec.shape) : spec.stride),
                    "\x89",
                    pickle_global("collections", "OrderedDict") + ")R"});
  return pickle_global("torch._utils", "_rebuild_tensor_v2") + arguments + "R";
}

std::string whole_pickle(const std::string& object, int protocol) {
  return std::string("\x80") + static_cast<char>(protocol) + object + ".";
}

std::string zip_file(const Entries& entries, const ZipOptions& options) {
  std::string file;
  std::string directory;
  for (const auto& [name, content] : entries) {
    const std::uint32_t crc = options.crcs ? plain_crc(content) : 0;
    const std::uint64_t header_offset = file.size();
    // version, flags, method, time, date
    const std::string common =
        little(options.zip64 ? 45 : 20, 2) + little(options.descriptors ? 8 : 0, 2) + little(0, 6);
    const std::string padding = little(0x4246, 2) + little(5, 2) + "ZZZZZ";
    const std::uint32_t size32 =
        options.zip64 ? 0xFFFFFFFFu : static_cast<std::uint32_t>(content.size());
    file += "PK\x03\x04" + common;
    file += options.descriptors ? little(0, 12)
                                : little(crc, 4) + little(size32, 4) + little(size32, 4);
    file += little(name.size(), 2) + little(padding.size(), 2) + name + padding + content;
    if (options.descriptors) {
      const int size_bytes = options.zip64 ? 8 : 4;
      file += "PK\x07\x08" + little(crc, 4) + little(content.size(), size_bytes) +
              little(content.size(), size_bytes);
    }
    const std::string extra = options.zip64
                                  ? little(0x9999, 2) + little(2, 2) + "xx" + little(1, 2) +
                                        little(24, 2) + little(content.size(), 8) +
                                        little(content.size(), 8) + little(header_offset, 8)
                                  : "";
    directory += "PK\x01\x02" + little(0x031E, 2) + common + little(crc, 4) + little(size32, 4) +
                 little(size32, 4) + little(name.size(), 2) + little(extra.size(), 2) +
                 little(0, 10) + little(options.zip64 ? 0xFFFFFFFFu : header_offset, 4) + name +
                 extra;
  }
  const std::uint64_t offset = file.size();
  file += directory;
  if (options.zip64) {
    const std::uint64_t end64 = file.size();
    file += "PK\x06\x06" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) +
            little(entries.size(), 8) + little(entries.size(), 8) + little(directory.size(), 8) +
            little(offset, 8);
    file += "PK\x06\x07" + little(0, 4) + little(end64, 8) + little(1, 4);
    file += "PK\x05\x06" + little(0, 4) + little(0xFFFFFFFF, 4) + little(0xFFFFFFFFFFFFFFFF, 8);
  } else {
    file += "PK\x05\x06" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
            little(directory.size(), 4) + little(offset, 4);
  }
  return file + little(options.comment.size(), 2) + options.comment;
}

Entries torch_entries(const std::string& pickle,
                      const std::map<std::string, std::string>& storages) {
  Entries entries = {{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
  for (const auto& [key, bytes] : storages) entries.emplace_back("archive/data/" + key, bytes);
  entries.emplace_back("archive/version", "3\n");
  return entries;
}

std::string legacy_file(const std::string& object, const std::vector<LegacyStorage>& storages) {
  const std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  std::string keys = "](";
  for (const auto& storage : storages) keys += pickle_text(storage.key);
  std::string file = whole_pickle(magic) + whole_pickle(pickle_int(1001)) +
                     whole_pickle(pickle_dict(
                         {{"protocol_version", pickle_int(1001)}, {"little_endian", "\x88"}})) +
                     whole_pickle(object) + whole_pickle(keys + "e");
  for (const auto& storage : storages) {
    file += little(static_cast<std::uint64_t>(storage.elements), 8) + storage.bytes;
  }
  return file;
}

std::string safetensors_file(const std::string& header, const std::string& data) {
  return little(header.size(), 8) + header + data;
}

std::string float_bytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string safetensors_of(const std::map<std::string, Tensor>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::string data;
  for (const auto& [key, tensor] : tensors) {
    std::string shape;
    for (const std::int64_t size : tensor.shape)
      shape += format("{}{}", shape.empty() ? "" : ",", size);
    const std::size_t begin = data.size();
    data += float_bytes(tensor.values);
    header += format(R"(,"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})",
                     key,
                     shape,
                     begin,
                     data.size());
  }
  return safetensors_file(header + "}   ", data);
}

TestNetwork::TestNetwork(const NetworkShape& shape) : shape_(shape) {
  std::int64_t longest = 0;
  const auto tensors = network_tensors(shape);
  for (const auto& [key, size] : tensors) longest = std::max(longest, product(size));
  std::int64_t offset = 0;
  for (const auto& [key, size] : tensors) {
    views_[key] = {size, offset};
    offset = (offset + 37) % 1009;
  }
  // Twice the longest tensor: views must not repeat the file's bytes too often.
  for (std::int64_t i = 0; i < 2 * longest + 1009; ++i) {
    storage_.push_back(static_cast<float>(i % 2003) / 1024 - 0.75F);
  }
}

std::vector<std::pair<std::string, std::string>> TestNetwork::items(const std::string& prefix,
                                                                    bool legacy) const {
  std::vector<std::pair<std::string, std::string>> result;
  for (const auto& [key, view] : views_) {
    TensorSpec spec;
    spec.storage_elements = static_cast<std::int64_t>(storage_.size());
    spec.offset = view.offset;
    spec.shape = view.shape;
    spec.legacy = legacy;
    result.emplace_back(prefix + key, pickle_tensor(spec));
  }
  return result;
}

std::string TestNetwork::zip_of(const std::string& object, const ZipOptions& options) const {
  return zip_file(torch_entries(whole_pickle(object), {{"0", float_bytes(storage_)}}), options);
}

std::string TestNetwork::legacy_of(const std::string& object) const {
  return legacy_file(object,
                     {{"0", static_cast<std::int64_t>(storage_.size()), float_bytes(storage_)}});
}

std::string TestNetwork::safetensors(const std::string& prefix) const {
  std::map<std::string, Tensor> tensors;
  for (const auto& [key, view] : views_) {
    const auto first = storage_.begin() + view.offset;
    tensors[prefix + key] = {view.shape, {first, first + product(view.shape)}};
  }
  return safetensors_of(tensors);
}

void TestNetwork::expect_equal(const Checkpoint& checkpoint) const {
  EXPECT_EQ(checkpoint.shape(), shape_);
  ASSERT_EQ(checkpoint.tensors().size(), views_.size());
  for (const auto& [key, view] : views_) {
    const Tensor& tensor = checkpoint.tensor(key);
    ASSERT_EQ(tensor.shape, view.shape) << key;
    ASSERT_EQ(tensor.values.size(), static_cast<std::size_t>(product(view.shape))) << key;
    ASSERT_TRUE(
        std::equal(tensor.values.begin(), tensor.values.end(), storage_.begin() + view.offset))
        << key;
  }
}

std::filesystem::path put_file(const std::filesystem::path& folder,
                               const std::string& name,
                               const std::string& content) {
  const std::filesystem::path path = folder / name;
  // A fresh file: ext4 sends one that was cut to nothing and written again to disk at once.
  std::filesystem::remove(path);
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  EXPECT_TRUE(file.good()) << path;
  return path;
}

std::string refusal_of(const std::function<void()>& step) {
  try {
    step();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel) << error.what();
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
    return error.what();
  } catch (const std::exception& other) {
    ADD_FAILURE() << "no vsr::Error: " << other.what();
  }
  return "";
}

std::string refusal_of_tensors(const std::filesystem::path& path) {
  return refusal_of([&] { read_tensor_file(path); });
}

std::string refusal_of_network(const std::filesystem::path& path) {
  return refusal_of([&] { Checkpoint::read(path); });
}

}  // namespace vsr::model::test
