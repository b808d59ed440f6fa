// The engine over pictures too large for it: every tile of a window's frames by itself, their
// pictures put together.
//
// Note [Tiles]
// The first frame that a window gives needs the last one that it sees, so no picture is whole
// before the last tile has gone through all frames. Until then the window's pictures lie in device
// memory (kernels/tiles.hpp): what tiles save are features, which are ten times as large. The
// tiles are of one size, so the engine's room is made once and serves them in turn; it cannot
// remember one window of each, so windows in tiles do not remember and see the frames before them
// again.
//
// Flows are found for whole pictures and cut, as the frames are. Found tile by tile they are others
// (SPyNet resizes what it is given to multiples of 32, and half of its levels look further than a
// tile's overlap), so pictures differed from edge to edge and most of all where two tiles meet.
#pragma once

#include "fused/engine.hpp"
#include "fused/map.hpp"
#include "vsr/base/tiles.hpp"
#include "vsr/kernels/tiles.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace vsr::model::fused {

class TiledEngine {
 public:
  // `engine` is borrowed and works for nobody else.
  TiledEngine(Engine& engine, const Compute& compute, const Tiling& tiling);
  ~TiledEngine();

  // Windows of up to so many frames are made room for at once.
  void expect_frames(int frames) { expected_frames_ = frames; }

  // As Engine::run, for a window that continues nothing; `frames` are of the tiling's size. What is
  // delivered is clamped to 0..1, and *not_finite (device memory) becomes 1 if a value is no
  // number. Throws OutOfMemory before anything is delivered.
  void run(std::span<const float* const> frames,
           const FrameRange& emit,
           int* not_finite,
           const Engine::Deliver& deliver);

  // Bytes that a window of `frames` takes, the engine's own for the tiles among them; exact.
  static std::size_t window_bytes(const NetworkShape& shape,
                                  const Compute& compute,
                                  const Tiling& tiling,
                                  int frames);

 private:
  struct Room;
  static Room take_room(Arena& arena, const NetworkShape& shape, const Tiling& tiling, int frames);
  void make_room(int frames);
  void find_flows(std::span<const float* const> frames);
  // Cuts the part of tile (column, row) out of rows of `elements` a pixel, of the network's frames
  // or, at 1 / shrink of their size, of its features.
  void cut(const float* from, float* to, int column, int row, int elements, int shrink) const;
  void compute(std::span<const float* const> frames,
               int column,
               int row,
               const FrameRange& emit,
               int* not_finite);

  Engine& engine_;
  Compute compute_;
  Tiling tiling_;
  WeightStore store_;
  std::vector<const float*> shares_across_;  // by column; of the upscaled samples
  std::vector<const float*> shares_down_;    // by row
  int expected_frames_ = 0;
  std::unique_ptr<Room> room_;
};

}  // namespace vsr::model::fused
