#include "checkpoint/tensor_file.hpp"

#include "checkpoint/refusal.hpp"
#include "checkpoint/safetensors_reader.hpp"
#include "checkpoint/torch_file.hpp"
#include "checkpoint/zip_reader.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

namespace vsr::model {

static_assert(std::endian::native == std::endian::little, "values are taken as they lie in a file");

namespace {

[[noreturn]] void refuse_unknown(std::span<const std::byte> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.starts_with("version https://git-lfs")) {
    refuse("unknown format: a Git LFS pointer, not the file itself; run git lfs pull");
  }
  if (text.starts_with("<")) {
    refuse("unknown format: a web page, not a checkpoint; fetch the file itself");
  }
  refuse("unknown format: neither a .pth of torch.save nor .safetensors");
}

TensorIndex index_file(const FileBytes& file) {
  constexpr std::uint64_t kHeadBytes = 64;
  if (file.size() == 0) refuse("empty file");
  const std::vector<std::byte> head = file.read(0, std::min(file.size(), kHeadBytes));
  if (ZipArchive::recognises(head)) return index_torch_zip(file);
  if (recognises_safetensors(head)) return index_safetensors(file);
  if (recognises_pickle(head)) return index_torch_legacy(file);
  refuse_unknown(head);
}

// Views may repeat what the file has once (stride 0, shared storages). A network that shares all it
// can stays below a factor of 7; what goes far beyond is made to exhaust memory.
void check_total(const TensorIndex& index, std::uint64_t file_bytes) {
  constexpr std::uint64_t kMostRepeats = 16;
  constexpr std::uint64_t kSmall = 1 << 20;
  const std::uint64_t budget = kMostRepeats * file_bytes + kSmall;
  std::uint64_t total = 0;
  for (const auto& [key, tensor] : index) {
    // Cannot overflow: see check_view().
    const std::uint64_t bytes =
        std::max(tensor.extent.elements, tensor.extent.span) * size_bytes(tensor.view.dtype);
    if (bytes > budget - total) {
      refuse(
          format("tensor {} is too big: with it the tensors take more than {} bytes, from a file "
                 "of {}",
                 in_quotes(key),
                 budget,
                 file_bytes));
    }
    total += bytes;
  }
}

// Copies the elements of `view`, row by row, out of memory that begins at its first element.
template <std::size_t kBytes>
void gather(const TensorView& view, std::span<const std::byte> memory, std::span<std::byte> into) {
  const std::size_t rank = view.shape.size();
  std::vector<std::int64_t> position(rank, 0);
  std::size_t from = 0;
  for (std::size_t to = 0; to < into.size(); to += kBytes) {
    std::memcpy(into.data() + to, memory.data() + from * kBytes, kBytes);
    for (std::size_t i = rank; i-- > 0;) {
      from += static_cast<std::size_t>(view.stride[i]);
      if (++position[i] < view.shape[i]) break;
      from -= static_cast<std::size_t>(view.stride[i] * view.shape[i]);
      position[i] = 0;
    }
  }
}

float widen_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1F;
  const std::uint32_t fraction = half & 0x3FF;
  if (exponent == 0) {  // zero and subnormal: fraction * 2^-24, exact
    const float size = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -size : size;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFF : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

template <typename Stored, typename Convert>
std::vector<float> convert(const RawTensor& tensor, Convert to_float) {
  std::vector<float> floats(tensor.values.size() / sizeof(Stored));
  for (std::size_t i = 0; i < floats.size(); ++i) {
    Stored value;
    std::memcpy(&value, tensor.values.data() + i * sizeof(Stored), sizeof(Stored));
    floats[i] = to_float(value);
  }
  return floats;
}

}  // namespace

TensorFile::TensorFile(const std::filesystem::path& path) : file_(path), index_(index_file(file_)) {
  check_total(index_, file_.size());
}

TensorFile::TensorFile(std::span<const std::byte> memory)
    : file_(memory), index_(index_file(file_)) {
  check_total(index_, file_.size());
}

RawTensor TensorFile::read(const StoredTensor& tensor) const {
  const TensorView& view = tensor.view;
  const std::uint64_t bytes = size_bytes(view.dtype);
  RawTensor raw{view.dtype, view.shape, view.stride, {}};
  if (tensor.extent.elements == 0) return raw;
  const std::uint64_t offset =
      tensor.storage_offset + static_cast<std::uint64_t>(view.first) * bytes;
  std::vector<std::byte> memory = file_.read(offset, tensor.extent.span * bytes);
  if (is_contiguous(view)) {
    raw.values = std::move(memory);
    return raw;
  }
  raw.values.resize(tensor.extent.elements * bytes);
  switch (bytes) {
    case 8:
      gather<8>(view, memory, raw.values);
      break;
    case 4:
      gather<4>(view, memory, raw.values);
      break;
    case 2:
      gather<2>(view, memory, raw.values);
      break;
    default:
      gather<1>(view, memory, raw.values);
  }
  return raw;
}

std::map<std::string, RawTensor> read_tensor_file(const std::filesystem::path& path) {
  try {
    const TensorFile file(path);
    std::map<std::string, RawTensor> tensors;
    for (const auto& [key, stored] : file.index()) tensors.emplace(key, file.read(stored));
    return tensors;
  } catch (Error& error) {
    error.add_context(path.string());
    throw;
  }
}

std::vector<float> widen_to_float(const RawTensor& tensor) {
  switch (tensor.dtype) {
    case DType::kFloat64:
      return convert<double>(tensor, [](double value) { return static_cast<float>(value); });
    case DType::kFloat32:
      return convert<float>(tensor, [](float value) { return value; });
    case DType::kFloat16:
      return convert<std::uint16_t>(tensor, widen_half);
    case DType::kBFloat16:
      return convert<std::uint16_t>(tensor, [](std::uint16_t value) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
      });
    default:
      throw Error(ErrorCode::kInternal,
                  format("a tensor of {} cannot be widened to float32", to_string(tensor.dtype)));
  }
}

}  // namespace vsr::model
