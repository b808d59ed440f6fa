#include "fused/map.hpp"

#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/kernels/conv.hpp"

#include <algorithm>
#include <cstring>

namespace vsr::model::fused {

namespace {

// fp32 to half or bfloat16, to nearest even. By hand, so that this file needs no CUDA header.
std::vector<std::uint16_t> narrowed(const std::vector<float>& values, kernels::ElementType type) {
  std::vector<std::uint16_t> narrow(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == kernels::ElementType::kHalf) {
      const auto half = static_cast<_Float16>(values[i]);
      std::memcpy(&narrow[i], &half, 2);
    } else {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &values[i], 4);
      narrow[i] = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
  }
  return narrow;
}

}  // namespace

Map image_of(const Map& maps, std::int64_t index, int images) {
  Map map = maps;
  map.images = images;
  map.data = static_cast<std::uint16_t*>(maps.data) + index * maps.image_elements();
  return map;
}

Arena::Arena(std::size_t bytes, gpu::StreamView stream) : memory_(bytes, stream.device) {
  // Channels that no kernel writes must be zeros, and rubbish may be infinities.
  gpu::clear_async(memory_.data(), bytes, stream);
}

void* Arena::take(std::size_t bytes) {
  const std::size_t at = used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  most_ = std::max(most_, used_);
  if (memory_.size() == 0) return nullptr;
  if (used_ > memory_.size()) {
    throw Error(ErrorCode::kInternal,
                "an arena was measured with other sizes than it is used with");
  }
  return static_cast<std::byte*>(memory_.data()) + at;
}

Map Arena::take_map(int images, int height, int width, int channels) {
  Map map{.channels = kernels::padded_channels(channels),
          .images = images,
          .height = height,
          .width = width};
  map.data = take_values<std::uint16_t>(images * map.image_elements());
  return map;
}

const void* WeightStore::put_bytes(const void* from, std::size_t bytes) {
  gpu::DeviceBuffer& buffer = buffers_.emplace_back(bytes, compute_.stream.device);
  gpu::copy_bytes_async(from, buffer.data(), bytes, compute_.stream);
  gpu::Event::record(compute_.stream).wait();  // `from` is the caller's again
  bytes_ += bytes;
  return buffer.data();
}

const void* WeightStore::put(const std::vector<float>& values) {
  const auto narrow = narrowed(values, compute_.type);
  return put_bytes(narrow.data(), narrow.size() * sizeof(narrow[0]));
}

const float* WeightStore::put_fp32(const std::vector<float>& values) {
  return static_cast<const float*>(put_bytes(values.data(), values.size() * sizeof(float)));
}

}  // namespace vsr::model::fused
