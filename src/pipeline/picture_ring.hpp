// A fixed number of pictures in (pinned) host memory that go round between two stages. Private.
#pragma once

#include "vsr/base/bounded_queue.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <cstddef>
#include <vector>

namespace vsr::pipeline {

class PictureRing {
 public:
  PictureRing(const PictureFormat& format, std::size_t slots, bool pinned)
      : format_(format), free_(slots) {
    for (std::size_t i = 0; i < slots; ++i) memory_.emplace_back(packed_bytes(format), pinned);
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

  MutablePictureView view(std::size_t slot) { return packed_view(format_, memory_[slot].data()); }

 private:
  PictureFormat format_;
  std::vector<gpu::PinnedBuffer> memory_;
  BoundedQueue<std::size_t> free_;
};

}  // namespace vsr::pipeline
