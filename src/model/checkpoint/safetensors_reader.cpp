#include "checkpoint/safetensors_reader.hpp"

#include "checkpoint/json.hpp"
#include "checkpoint/refusal.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::model {

namespace {

constexpr std::uint64_t kLengthBytes = 8;
// The format allows 100 MB; a network of 566 tensors has 70 KB.
constexpr std::uint64_t kMostHeaderBytes = 16 << 20;

std::vector<std::int64_t> integers(const Json& entry, std::string_view name, std::size_t most) {
  const Json* list = entry.find(name);
  if (list == nullptr || list->kind != Json::Kind::kArray || list->items.size() > most) {
    refuse(format("{} is no list of at most {} integers", in_quotes(name), most));
  }
  std::vector<std::int64_t> values;
  for (const Json& item : list->items) {
    if (item.kind != Json::Kind::kInteger || item.integer < 0) {
      refuse(format("{} holds something else than integers from 0", in_quotes(name)));
    }
    values.push_back(item.integer);
  }
  return values;
}

using ByteRange = std::pair<std::uint64_t, std::uint64_t>;  // half-open, within the data

// `data_bytes`: what follows the header. Writes to `place` where the tensor's bytes are.
StoredTensor read_entry(const Json& entry,
                        std::uint64_t data_offset,
                        std::uint64_t data_bytes,
                        ByteRange& place) {
  if (entry.kind != Json::Kind::kObject || entry.members.size() != 3) {
    refuse("the entry is not made of dtype, shape and data_offsets");
  }
  StoredTensor tensor;
  const Json* dtype = entry.find("dtype");
  if (dtype == nullptr || dtype->kind != Json::Kind::kText) refuse("no dtype");
  const auto known = dtype_of_safetensors(dtype->text);
  if (!known) refuse(format("dtype {} cannot be read", in_quotes(dtype->text)));
  tensor.view.dtype = *known;
  tensor.view.shape = integers(entry, "shape", kMostDimensions);
  const std::vector<std::int64_t> range = integers(entry, "data_offsets", 2);
  if (range.size() != 2 || range[0] > range[1]) refuse("data_offsets is no range");
  const auto begin = static_cast<std::uint64_t>(range[0]);
  const auto end = static_cast<std::uint64_t>(range[1]);
  if (end > data_bytes) {
    refuse(format(
        "truncated: data up to byte {} announced, {} are there; fetch it again", end, data_bytes));
  }
  // Strides need a product that is known not to overflow: check with strides 0 first.
  tensor.view.stride.assign(tensor.view.shape.size(), 0);
  check_view(tensor.view, end - begin + 1);
  tensor.view.stride = contiguous_strides(tensor.view.shape);
  const std::uint64_t bytes = size_bytes(*known);
  tensor.extent = check_view(tensor.view, (end - begin) / bytes);
  if (tensor.extent.elements * bytes != end - begin) {
    refuse(format("{} bytes of data for {} elements of {}",
                  end - begin,
                  tensor.extent.elements,
                  to_string(*known)));
  }
  tensor.storage_offset = data_offset + begin;
  place = {begin, end};
  return tensor;
}

void check_tiling(std::vector<ByteRange> ranges, std::uint64_t data_bytes) {
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t end = 0;
  for (const auto& range : ranges) {
    if (range.first != end) {
      refuse(format("the data of two tensors {} at byte {}",
                    range.first < end ? "overlap" : "have a gap between them",
                    std::min(range.first, end)));
    }
    end = range.second;
  }
  if (end != data_bytes) {
    refuse(format("{} bytes of data belong to no tensor; the file is damaged", data_bytes - end));
  }
}

}  // namespace

bool recognises_safetensors(std::span<const std::byte> head) {
  return head.size() > kLengthBytes && head[kLengthBytes] == std::byte{'{'} &&
         little_endian(head, 5, 3) == 0;
}

TensorIndex index_safetensors(const FileBytes& file) {
  const std::uint64_t header_bytes = little_endian(file.read(0, kLengthBytes), 0, kLengthBytes);
  if (header_bytes > kMostHeaderBytes) {
    refuse(format("header too long: {} bytes announced, at most {} make sense",
                  header_bytes,
                  kMostHeaderBytes));
  }
  const std::vector<std::byte> header = file.read(kLengthBytes, header_bytes);
  const std::uint64_t data_offset = kLengthBytes + header_bytes;
  const std::uint64_t data_bytes = file.size() - data_offset;
  const Json root = parse_json({reinterpret_cast<const char*>(header.data()), header.size()});
  if (root.kind != Json::Kind::kObject) refuse("the header is no JSON object");
  TensorIndex index;
  std::vector<ByteRange> ranges;
  for (const auto& [key, entry] : root.members) {
    if (key == "__metadata__") continue;
    try {
      index.emplace(key, read_entry(entry, data_offset, data_bytes, ranges.emplace_back()));
    } catch (Error& error) {
      error.add_context(format("tensor {}", in_quotes(key)));
      throw;
    }
  }
  check_tiling(std::move(ranges), data_bytes);
  if (index.empty()) refuse("no tensors in it");
  return index;
}

}  // namespace vsr::model
