// A fixed number of pictures or packets in (pinned) host memory that go round between two stages.
// Private.
#pragma once

#include "pinned_slots.hpp"
#include "vsr/base/bounded_queue.hpp"
#include "vsr/base/picture.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace vsr::pipeline {

class BufferRing {
 public:
  BufferRing(std::size_t bytes, std::size_t slots, bool pinned)
      : memory_(bytes, slots, pinned), free_(slots) {
    refill();
  }

  // All slots free again; only while no other thread uses the ring.
  void refill() {
    free_.reset();
    for (std::size_t i = 0; i < memory_.size(); ++i) free_.push(i);
  }

  // Waits for a free slot; nothing after abort().
  std::optional<std::size_t> acquire() { return free_.pop(); }

  void release(std::size_t slot) { free_.push(slot); }

  void abort() { free_.abort(); }

  std::size_t size() const { return memory_.size(); }

  std::span<std::byte> memory(std::size_t slot) { return memory_[slot]; }

 private:
  PinnedSlots memory_;
  BoundedQueue<std::size_t> free_;
};

class PictureRing : public BufferRing {
 public:
  PictureRing(const PictureFormat& format, std::size_t slots, bool pinned)
      : BufferRing(packed_bytes(format), slots, pinned), format_(format) {}

  MutablePictureView view(std::size_t slot) { return packed_view(format_, memory(slot).data()); }

 private:
  PictureFormat format_;
};

// Packets of any size: those that are larger than a slot find memory of their own.
class PacketRing : public BufferRing {
 public:
  PacketRing(std::size_t usual_bytes, std::size_t slots, bool pinned)
      : BufferRing(usual_bytes, slots, pinned), packets_(slots), large_(slots) {}

  // REQUIRES: the slot was acquired.
  std::span<std::byte> begin_packet(std::size_t slot, std::size_t bytes) {
    if (bytes <= memory(slot).size()) {
      packets_[slot] = memory(slot).first(bytes);
    } else {
      large_[slot].resize(bytes);
      packets_[slot] = large_[slot];
    }
    return packets_[slot];
  }

  std::span<const std::byte> packet(std::size_t slot) const { return packets_[slot]; }

 private:
  std::vector<std::span<std::byte>> packets_;
  std::vector<std::vector<std::byte>> large_;
};

}  // namespace vsr::pipeline
