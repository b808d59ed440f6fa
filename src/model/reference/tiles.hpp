// The generator over pictures too large for it: every tile by itself, their pictures put together.
#pragma once

#include "generator.hpp"
#include "vsr/base/tiles.hpp"

namespace vsr::model::reference {

// As Generator::run, where `tiling` is one tile. Else `frames` go through it tile by tile, with the
// flows of whole pictures, and all frames of `emit` are held in fp32 until the last tile is done.
// To be called within a ComputeScope.
void run_in_tiles(Generator& generator,
                  const Tiling& tiling,
                  std::span<const at::Tensor> frames,
                  const FrameRange& emit,
                  const Generator::Emit& deliver);

}  // namespace vsr::model::reference
