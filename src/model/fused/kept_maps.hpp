// The maps that a window keeps of its frames, spatial features and the results of all branches but
// the last, and where they lie: in device memory, or in the host's.
//
// Note [Features in host memory]
// These maps are nearly all of what a frame takes (0.23 of 0.24 GB at 1024x432), and each is needed
// for moments only: a branch goes from frame to frame and reads what the branches before it made of
// that one. So they may all lie in pinned host memory, and the device has room for kRing frames of
// each kind: the one at work, the two whose results its branch goes on from, and one on its way. A
// result goes down as soon as its branch has done the frame; what a branch will read comes up while
// it is at the frames before, unless it lies in the ring still, as at every turn from one branch to
// the next. Copies have two streams of their own, one each way, and nobody waits for them but the
// computing stream for what it reads and for the place of what it writes. The host only queues.
//
// A frame's slot in host memory is its number modulo capacity(), its place in the ring that modulo
// kRing. The capacity is a multiple of kRing, so the place follows from the slot: what is recorded
// for a slot (Note [Graphs] in engine.cpp) holds here as well. Three rules keep maps whole:
// - a copy waits for all that was computed up to the last end(), so for whatever made what it
//   reads and for whatever read what it overwrites;
// - nothing is written to a place before the last copy to or from it is over. Since all copies of a
//   slot go through one place, this keeps slots as well;
// - a kernel that reads a map waits until it has come.
#pragma once

#include "fused/map.hpp"
#include "vsr/gpu/stream.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace vsr::model::fused {

class KeptMaps {
 public:
  // Spatial features, then the results of the first three branches, in running order.
  static constexpr std::size_t kKinds = 4;
  // Frames of each kind that the device has room for, where the rest is in host memory.
  static constexpr std::int64_t kRing = 4;

  // What is computed at a frame: it reads kinds [0, reads) of the frame, and writes kind `reads`,
  // if there is one, going on from its maps at the `past` frames visited before. Frames are counted
  // in the sequence.
  struct Visit {
    std::size_t reads = 0;
    std::int64_t frame = 0;
    std::int64_t direction = 1;  // to the frame visited next: 1 or -1
    std::int64_t to_come = 0;    // frames that are visited after this one
    std::int64_t past = 0;
  };

  KeptMaps();
  // For `frames` frames at a time at least. The device's part is taken from the arena.
  KeptMaps(Arena& arena, std::int64_t frames, int height, int width, int channels, bool on_host);
  // Returns when no copy is under way any more.
  ~KeptMaps();
  KeptMaps(KeptMaps&&) noexcept;
  KeptMaps& operator=(KeptMaps&&) noexcept;

  // Frames that it keeps.
  std::int64_t capacity() const { return capacity_; }

  // What it takes of pinned host memory.
  std::size_t host_bytes() const;

  // Takes that, before the first visit of kernels in `compute`. Throws OutOfMemory.
  void take_host_memory(gpu::StreamView compute);

  // Where kernels find the maps of `images` frames from this one on, between begin() and end().
  Map at(std::size_t kind, std::int64_t frame, int images = 1) const;

  // Maps of one kind that lie one after another there and may be written at once.
  std::int64_t in_a_row(std::int64_t frame) const;

  // Around whatever is queued in `compute` for a visit. Of several visits at once that read nothing
  // all begin before the first ends. A visit that was begun and not ended must be followed by the
  // first frame of a sequence.
  void begin(const Visit& visit) {
    if (host_ != nullptr) make_ready(visit);
  }

  void end(const Visit& visit) {
    if (host_ != nullptr) put_away(visit);
  }

 private:
  struct Host;

  void make_ready(const Visit& visit);
  void put_away(const Visit& visit);
  void bring(std::size_t kind, std::int64_t frame);
  void await(std::size_t kind, std::int64_t frame);
  std::byte* in_host_memory(std::size_t kind, std::int64_t frame) const;
  std::size_t map_bytes() const;

  std::array<Map, kKinds> maps_{};  // on the device
  std::int64_t places_ = 1;         // of each kind there
  std::int64_t capacity_ = 0;
  bool on_host_ = false;
  std::unique_ptr<Host> host_;  // null: all is on the device
};

}  // namespace vsr::model::fused
