// Equal pieces of one block of (pinned) host memory. Private.
#pragma once

#include "vsr/gpu/pinned_buffer.hpp"

#include <cstddef>
#include <span>

namespace vsr::pipeline {

class PinnedSlots {
 public:
  PinnedSlots() = default;

  // Throws OutOfMemory.
  PinnedSlots(std::size_t bytes, std::size_t slots, bool pinned)
      : bytes_(bytes), slots_(slots), memory_(stride() * slots, pinned) {}

  std::size_t size() const { return slots_; }

  std::span<std::byte> operator[](std::size_t slot) {
    return {memory_.data() + slot * stride(), bytes_};
  }

  std::span<const std::byte> operator[](std::size_t slot) const {
    return {memory_.data() + slot * stride(), bytes_};
  }

 private:
  static constexpr std::size_t kAlignment = 4096;

  std::size_t stride() const { return (bytes_ + kAlignment - 1) / kAlignment * kAlignment; }

  std::size_t bytes_ = 0;
  std::size_t slots_ = 0;
  gpu::PinnedBuffer memory_;
};

}  // namespace vsr::pipeline
