// Feature maps in device memory, and where they come from.
#pragma once

#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vsr::model::fused {

class Observer;

// Where and in what the network computes. Features and weights are of `type` (half or bfloat16),
// flows and pictures fp32. All work is queued in `stream`.
struct Compute {
  gpu::StreamView stream;
  kernels::ElementType type = kernels::ElementType::kHalf;
  bool hopper = false;           // the device has rows convolutions
  bool host_features = false;    // see fused/kept_maps.hpp
  Observer* observer = nullptr;  // see fused/launch.hpp
};

// [images, height, width, channels] of the compute's type, contiguous; channels are a multiple of
// 16, those beyond the network's are zeros. Borrows its memory.
struct Map {
  void* data = nullptr;  // null: a map of zeros that nobody has made
  int channels = 0;
  int images = 1;
  int height = 0;
  int width = 0;

  std::int64_t image_pixels() const { return std::int64_t{height} * width; }

  std::int64_t image_elements() const { return image_pixels() * channels; }
};

// The images of `maps` from number `index` on.
Map image_of(const Map& maps, std::int64_t index, int images = 1);

// Device memory handed out in pieces that live as long as the arena. A first pass over the same
// calls, of an arena without memory, tells how much it takes.
//
// Note [Memory is taken once]
// Everything that a window needs is allocated before its first kernel is queued: a window that does
// not fit fails at once and whole, nothing is freed while kernels run, and what it takes can be
// told beforehand to the byte.
class Arena {
 public:
  static constexpr std::size_t kAlignment = 256;

  Arena() = default;
  // Throws OutOfMemory. The memory is zeros.
  Arena(std::size_t bytes, gpu::StreamView stream);

  // `bytes` of device memory; null while measuring.
  void* take(std::size_t bytes);

  template <typename Value>
  Value* take_values(std::int64_t count) {
    return static_cast<Value*>(take(static_cast<std::size_t>(count) * sizeof(Value)));
  }

  Map take_map(int images, int height, int width, int channels);

  // Where the next piece begins; and to begin there once more, with pieces that live while those
  // taken since do not. What lies there is no zeros then.
  std::size_t mark() const { return used_; }

  void rewind(std::size_t mark) { used_ = mark; }

  // The most that was taken at a time.
  std::size_t bytes() const { return most_; }

 private:
  gpu::DeviceBuffer memory_;
  std::size_t used_ = 0;
  std::size_t most_ = 0;
};

// Values on the host become device memory; what the network's weights are made of.
class WeightStore {
 public:
  explicit WeightStore(const Compute& compute) : compute_(compute) {}

  // In the compute's type.
  const void* put(const std::vector<float>& values);
  const float* put_fp32(const std::vector<float>& values);

  const Compute& compute() const { return compute_; }

  std::size_t bytes() const { return bytes_; }

 private:
  const void* put_bytes(const void* from, std::size_t bytes);

  Compute compute_;
  std::vector<gpu::DeviceBuffer> buffers_;
  std::size_t bytes_ = 0;
};

}  // namespace vsr::model::fused
