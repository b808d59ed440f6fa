#include "vsr/model/tiling.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>

namespace vsr::model {

namespace {

int padded(int length, const TileRule& rule) {
  return std::max((length + rule.unit - 1) / rule.unit * rule.unit, rule.least);
}

// Lengths of the tiles of an axis, one for each number of them.
std::vector<int> tile_lengths(int length, int overlap, const TileRule& rule) {
  std::vector<int> lengths{length};
  for (int count = 2;; ++count) {
    const int tile = tile_length(length, count, overlap, rule);
    if (tile < 4 * overlap || tile >= lengths.back()) return lengths;
    lengths.push_back(tile);
  }
}

}  // namespace

TileRule tile_rule(const NetworkShape& shape) {
  // Full-size pictures are made smaller by 4 before anything is done with them.
  return shape.low_res_input ? TileRule{.unit = 1, .least = 64} : TileRule{.unit = 4, .least = 256};
}

Tiling tiling_of(const NetworkShape& shape, const PictureFormat& input, const TileSize& tile) {
  const TileRule rule = tile_rule(shape);
  const int width = padded(input.width, rule);
  const int height = padded(input.height, rule);
  if (tile.whole()) return {{width, width, 0, rule}, {height, height, 0, rule}};
  const int least = std::max(rule.least, tile.overlap + 2 * rule.unit);
  if (tile.width < least || tile.height < least) {
    throw Error(ErrorCode::kUsage,
                format("stream.tile = {}x{}: this network and an overlap of {} need tiles of {}x{} "
                       "at least",
                       tile.width,
                       tile.height,
                       tile.overlap,
                       least,
                       least));
  }
  return {{width, tile.width, tile.overlap, rule}, {height, tile.height, tile.overlap, rule}};
}

std::vector<TileSize> tile_sizes(const NetworkShape& shape,
                                 const PictureFormat& input,
                                 int overlap) {
  const TileRule rule = tile_rule(shape);
  std::vector<TileSize> sizes;
  for (const int width : tile_lengths(padded(input.width, rule), overlap, rule)) {
    for (const int height : tile_lengths(padded(input.height, rule), overlap, rule)) {
      sizes.push_back({.width = width, .height = height, .overlap = overlap});
    }
  }
  sizes.erase(sizes.begin());  // that is the whole
  return sizes;
}

}  // namespace vsr::model
