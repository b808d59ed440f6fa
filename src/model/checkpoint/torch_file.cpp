#include "checkpoint/torch_file.hpp"

#include "checkpoint/pickle_reader.hpp"
#include "checkpoint/refusal.hpp"
#include "checkpoint/zip_reader.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::model {

namespace {

// The names under which training code keeps the weights, the first one present wins. Averaged
// weights go before the raw ones: they are what such trainers test and publish.
constexpr std::array<std::string_view, 3> kWrappers = {"state_dict", "params_ema", "params"};

// Runs `step` and puts `place` before what it refuses.
template <typename Step>
auto at_place(const std::string& place, Step step) {
  try {
    return step();
  } catch (Error& error) {
    error.add_context(place);
    throw;
  }
}

std::string list_keys(const PickleDocument& document, PickleId dict) {
  constexpr std::size_t kMostKeys = 5;
  const std::vector<PickleId>& items = document.at(dict).items;
  std::string text;
  for (std::size_t i = 0; i + 1 < std::min(items.size(), 2 * kMostKeys); i += 2) {
    text += (i == 0 ? "" : ", ") + in_quotes(document.at(items[i]).text);
  }
  if (items.size() > 2 * kMostKeys) text += ", ...";
  return text.empty() ? "nothing" : text;
}

void check_keys(const PickleDocument& document, PickleId dict) {
  const std::vector<PickleId>& items = document.at(dict).items;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (document.at(items[i]).kind != PickleKind::kText) {
      refuse("a key of the dict of tensors is no string");
    }
  }
}

// The tensors of the weights' dict, by key, as indices into the document's tensors.
std::map<std::string, std::size_t> find_tensors(const PickleDocument& document) {
  if (!document.is_dict(document.root)) {
    refuse("no state_dict: the saved object is no dict; save model.state_dict()");
  }
  check_keys(document, document.root);
  PickleId dict = document.root;
  bool wrapped = false;
  for (const std::string_view wrapper : kWrappers) {
    const std::vector<PickleId>& items = document.at(document.root).items;
    for (std::size_t i = 0; i < items.size() && !wrapped; i += 2) {
      if (document.at(items[i]).text != wrapper) continue;
      dict = items[i + 1];
      wrapped = true;
      if (!document.is_dict(dict)) refuse(format("{} is no dict of tensors", in_quotes(wrapper)));
      check_keys(document, dict);
    }
  }
  std::map<std::string, std::size_t> tensors;
  const std::vector<PickleId>& items = document.at(dict).items;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const std::string_view key = document.at(items[i]).text;
    const PickleNode& value = document.at(items[i + 1]);
    if (value.kind != PickleKind::kTensor) {
      if (wrapped) refuse(format("entry {} is no tensor", in_quotes(key)));
      continue;  // an epoch, an optimizer beside the tensors of an unwrapped dict
    }
    if (!tensors.emplace(key, static_cast<std::size_t>(value.integer)).second) {
      refuse(format("ambiguous: key {} is there twice", in_quotes(key)));
    }
  }
  if (tensors.empty()) {
    refuse(
        format("no state_dict: neither 'state_dict', 'params_ema', 'params' nor tensors; found {}",
               list_keys(document, document.root)));
  }
  return tensors;
}

// `offsets`: where each storage of the document begins in the file.
TensorIndex make_index(const PickleDocument& document, const std::vector<std::uint64_t>& offsets) {
  TensorIndex index;
  for (const auto& [key, number] : find_tensors(document)) {
    const PickledTensor& tensor = document.tensors[number];
    index.emplace(key, StoredTensor{tensor.view, tensor.extent, offsets[tensor.storage]});
  }
  return index;
}

std::uint64_t bytes_of(const PickledStorage& storage) {
  return storage.elements * size_bytes(storage.dtype);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \r\n");
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

std::string read_text(const ZipArchive& archive, const std::string& name) {
  constexpr std::uint64_t kMostBytes = 64;
  const std::vector<std::byte> bytes = archive.read(name, kMostBytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::string(trimmed(text));
}

// The folder inside the archive that holds everything: the saved file's stem, or `archive`.
std::string find_root(const ZipArchive& archive) {
  constexpr std::string_view kPickle = "/data.pkl";
  std::string root;
  int found = 0;
  for (const auto& [name, entry] : archive.entries()) {
    if (!name.ends_with(kPickle)) continue;
    root = name.substr(0, name.size() - kPickle.size());
    ++found;
  }
  if (found == 0) refuse("no data.pkl in the zip file: not a checkpoint of torch.save");
  if (found > 1) refuse(format("ambiguous: {} folders of the zip file have a data.pkl", found));
  return root;
}

void check_version(const ZipArchive& archive, const std::string& root) {
  constexpr int kNewestVersion = 10;  // what torch 2.11 accepts; it writes 3
  const std::string elsewhere = root + "/.data/version";
  const bool there = archive.entries().contains(elsewhere);
  const std::string text = read_text(archive, there ? elsewhere : root + "/version");
  const int version = parse_number<int>(text).value_or(0);
  if (version < 1 || version > kNewestVersion) {
    refuse(format(
        "version {} of the layout is not known, only 1 to {}", in_quotes(text), kNewestVersion));
  }
}

void check_byte_order(const ZipArchive& archive, const std::string& root) {
  const std::string name = root + "/byteorder";
  if (!archive.entries().contains(name)) return;  // not written before torch 2.1
  const std::string order = read_text(archive, name);
  if (order != "little") {
    refuse(format("byte order {} cannot be read; save it again on a little-endian machine",
                  in_quotes(order)));
  }
}

// Legacy layout.

// 0x1950a86a20f9469cfc6c, as the pickle holds it.
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kLegacyVersion = 1001;

// The pickles at the start of a legacy file, one after another.
class LegacyHead {
 public:
  explicit LegacyHead(const FileBytes& file)
      : bytes_(file.read(0, std::min(file.size(), kMostPickleBytes))) {}

  PickleDocument next(const char* what) {
    return at_place(format("{} (at byte {})", what, at_), [&] {
      PickleDocument document = read_pickle(std::span(bytes_).subspan(at_));
      at_ += document.bytes_read;
      return document;
    });
  }

  std::uint64_t end() const { return at_; }

 private:
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

void check_system(const PickleDocument& document) {
  if (!document.is_dict(document.root)) refuse("the system record is no dict");
  const std::vector<PickleId>& items = document.at(document.root).items;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const PickleNode& value = document.at(items[i + 1]);
    if (document.at(items[i]).text == "little_endian" &&
        (value.kind != PickleKind::kBool || value.integer == 0)) {
      refuse("byte order 'big' cannot be read; save it again on a little-endian machine");
    }
  }
}

// Walks the storages behind the pickles: for each key a count of elements and the elements.
std::vector<std::uint64_t> find_legacy_storages(const FileBytes& file,
                                                const PickleDocument& document,
                                                const PickleDocument& keys,
                                                std::uint64_t at) {
  constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
  constexpr std::uint64_t kCountBytes = 8;
  if (keys.at(keys.root).kind != PickleKind::kList) refuse("the list of storages is no list");
  std::map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < document.storages.size(); ++i) {
    numbers.emplace(document.storages[i].key, i);
  }
  std::vector<std::uint64_t> offsets(document.storages.size(), kNowhere);
  for (const PickleId id : keys.at(keys.root).items) {
    const std::string_view key = keys.at(id).text;
    const auto known = numbers.find(key);
    if (keys.at(id).kind != PickleKind::kText || known == numbers.end()) {
      refuse(format("storage {} belongs to no tensor", in_quotes(key)));
    }
    if (offsets[known->second] != kNowhere) {
      refuse(format("ambiguous: storage {} is there twice", in_quotes(key)));
    }
    const PickledStorage& storage = document.storages[known->second];
    const auto count = static_cast<std::int64_t>(little_endian(file.read(at, kCountBytes), 0, 8));
    if (count < 0 || static_cast<std::uint64_t>(count) != storage.elements) {
      refuse(
          format("storage {}: {} elements announced before it, {} in the pickle; the file is "
                 "damaged",
                 in_quotes(key),
                 count,
                 storage.elements));
    }
    at += kCountBytes;
    if (bytes_of(storage) > file.size() - at) {
      refuse(format("truncated: storage {} needs {} bytes, {} are left; fetch it again",
                    in_quotes(key),
                    bytes_of(storage),
                    file.size() - at));
    }
    offsets[known->second] = at;
    at += bytes_of(storage);
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] == kNowhere) {
      refuse(format("storage {} is missing", in_quotes(document.storages[i].key)));
    }
  }
  if (at != file.size()) {
    refuse(format("{} bytes follow the last storage; the file is damaged", file.size() - at));
  }
  return offsets;
}

}  // namespace

bool recognises_pickle(std::span<const std::byte> head) {
  return head.size() >= 2 && head[0] == std::byte{0x80} && head[1] >= std::byte{2} &&
         head[1] <= std::byte{5};
}

TensorIndex index_torch_zip(const FileBytes& file) {
  const ZipArchive archive(file);
  const std::string root = find_root(archive);
  check_version(archive, root);
  check_byte_order(archive, root);
  const std::string name = root + "/data.pkl";
  const std::vector<std::byte> bytes = archive.read(name, kMostPickleBytes);
  const std::string place = "zip entry " + in_quotes(name);
  const PickleDocument document = at_place(place, [&] { return read_pickle(bytes); });
  std::vector<std::uint64_t> offsets;
  for (const PickledStorage& storage : document.storages) {
    const std::string record = root + "/data/" + storage.key;
    if (!archive.entries().contains(record)) {
      refuse(format(
          "storage {} is missing: no zip entry {}", in_quotes(storage.key), in_quotes(record)));
    }
    const ZipEntry& entry = archive.checked(record);
    if (entry.bytes != bytes_of(storage)) {
      refuse(format("storage {} is too {}: {} bytes where {} are announced",
                    in_quotes(storage.key),
                    entry.bytes < bytes_of(storage) ? "short" : "long",
                    entry.bytes,
                    bytes_of(storage)));
    }
    offsets.push_back(entry.data_offset);
  }
  return at_place(place, [&] { return make_index(document, offsets); });
}

TensorIndex index_torch_legacy(const FileBytes& file) {
  LegacyHead head(file);
  const PickleDocument magic = head.next("magic number");
  if (magic.at(magic.root).kind != PickleKind::kBigInt || magic.at(magic.root).text != kMagic) {
    refuse("unknown format: a pickle, but none of torch.save");
  }
  const PickleDocument version = head.next("version");
  if (version.at(version.root).kind != PickleKind::kInt ||
      version.at(version.root).integer != kLegacyVersion) {
    refuse(format("version {} of the legacy layout is not known, only {}",
                  version.at(version.root).integer,
                  kLegacyVersion));
  }
  check_system(head.next("system record"));
  const PickleDocument document = head.next("object");
  const PickleDocument keys = head.next("list of storages");
  return make_index(document, find_legacy_storages(file, document, keys, head.end()));
}

}  // namespace vsr::model
