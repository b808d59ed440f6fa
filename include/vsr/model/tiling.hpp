// A film's pictures in tiles, as a network can take them.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/tiles.hpp"
#include "vsr/model/checkpoint.hpp"

#include <vector>

namespace vsr::model {

// The lengths that a network takes; pictures that are none are padded to the next.
TileRule tile_rule(const NetworkShape& shape);

// A picture of `input`, padded, in tiles no larger than `tile`; one tile where that is the whole.
// Throws Error(kUsage) for tiles smaller than the network takes.
Tiling tiling_of(const NetworkShape& shape, const PictureFormat& input, const TileSize& tile);

// One size for each number of columns and rows that leaves tiles of four overlaps at least.
std::vector<TileSize> tile_sizes(const NetworkShape& shape,
                                 const PictureFormat& input,
                                 int overlap);

}  // namespace vsr::model
