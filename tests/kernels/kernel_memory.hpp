// Values in the memory that kernels work on: a GPU's, or the host's where device code is emulated
// (VSR_EMULATED_KERNELS).
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/event.hpp"
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace vsr::kernels::test {

inline constexpr gpu::StreamView kStream{.device = 0};

// fp32 values in the number format of the kernel and back. The halves are converted by hand so that
// the test needs no CUDA header: bf16 by rounding to nearest even, fp16 through _Float16.
inline std::vector<std::byte> encode(const std::vector<float>& values, ElementType type) {
  std::vector<std::byte> bytes(values.size() * (type == ElementType::kFloat ? 4 : 2));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == ElementType::kFloat) {
      std::memcpy(&bytes[i * 4], &values[i], 4);
    } else if (type == ElementType::kHalf) {
      const auto half = static_cast<_Float16>(values[i]);
      std::memcpy(&bytes[i * 2], &half, 2);
    } else {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &values[i], 4);
      bits += 0x7fff + (bits >> 16 & 1);
      const auto upper = static_cast<std::uint16_t>(bits >> 16);
      std::memcpy(&bytes[i * 2], &upper, 2);
    }
  }
  return bytes;
}

inline std::vector<float> decode(const std::vector<std::byte>& bytes, ElementType type) {
  std::vector<float> values(bytes.size() / (type == ElementType::kFloat ? 4 : 2));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == ElementType::kFloat) {
      std::memcpy(&values[i], &bytes[i * 4], 4);
    } else if (type == ElementType::kHalf) {
      _Float16 half = 0;
      std::memcpy(&half, &bytes[i * 2], 2);
      values[i] = static_cast<float>(half);
    } else {
      std::uint16_t upper = 0;
      std::memcpy(&upper, &bytes[i * 2], 2);
      const std::uint32_t bits = static_cast<std::uint32_t>(upper) << 16;
      std::memcpy(&values[i], &bits, 4);
    }
  }
  return values;
}

// As the device sees them: rounded to its number format.
inline std::vector<float> rounded(const std::vector<float>& values, ElementType type) {
  return decode(encode(values, type), type);
}

#ifdef VSR_EMULATED_KERNELS

class OnDevice {
 public:
  OnDevice(const std::vector<float>& values, ElementType type) : bytes_(encode(values, type)) {}

  explicit OnDevice(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  void* data() { return bytes_.data(); }

  const float* floats() { return reinterpret_cast<const float*>(bytes_.data()); }

  std::vector<float> values(ElementType type) const { return decode(bytes_, type); }

  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

#else

inline void copy(const void* from, void* to, std::size_t bytes) {
  gpu::copy_plane_async(
      {from, static_cast<std::ptrdiff_t>(bytes), to, static_cast<std::ptrdiff_t>(bytes), bytes, 1},
      kStream);
  gpu::Event::record(kStream).wait();
}

class OnDevice {
 public:
  OnDevice(const std::vector<float>& values, ElementType type) : OnDevice(encode(values, type)) {}

  explicit OnDevice(const std::vector<std::byte>& bytes) : buffer_(bytes.size(), 0) {
    copy(bytes.data(), buffer_.data(), bytes.size());
  }

  void* data() { return buffer_.data(); }

  const float* floats() { return static_cast<const float*>(buffer_.data()); }

  std::vector<float> values(ElementType type) const { return decode(bytes(), type); }

  std::vector<std::byte> bytes() const {
    std::vector<std::byte> bytes(buffer_.size());
    copy(buffer_.data(), bytes.data(), bytes.size());
    return bytes;
  }

 private:
  gpu::DeviceBuffer buffer_;
};

#endif

}  // namespace vsr::kernels::test
