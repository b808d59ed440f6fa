// How pictures too large for the network's memory are cut into tiles: arithmetic on lengths.
//
// Neighbouring tiles share `overlap` pixels or a few more. The picture fades from one to the other
// across the middle half of what they share; the outer quarters, where a tile knows too little of
// what is around, count nothing (docs/performance.md has what that is worth).
#pragma once

#include <cstddef>
#include <vector>

namespace vsr {

// What is asked for, in pixels that the network sees: tiles no larger than this.
struct TileSize {
  int width = 0;  // 0, and the height too: the picture as a whole
  int height = 0;
  int overlap = 0;

  bool whole() const { return width == 0; }

  bool operator==(const TileSize&) const = default;
};

// What a network can take: lengths and places that are multiples of `unit`, lengths of at least
// `least` (a multiple, too).
struct TileRule {
  int unit = 1;
  int least = 1;
};

// The shortest length of `count` equal tiles that cover `length` and share `overlap` at least.
// REQUIRES: length a multiple of rule.unit and at least rule.least, count > 0, overlap >= 0.
int tile_length(int length, int count, int overlap, const TileRule& rule);

// One axis of a picture in tiles of one length: the first at 0, the last ending with the picture,
// the others equally spread between them.
class TileAxis {
 public:
  // The fewest tiles no longer than `longest` that share `overlap` at least, and no longer than
  // these need be. One where the whole is no longer than that.
  // REQUIRES: `length` as above, longest >= rule.least, longest >= overlap + 2 * rule.unit.
  TileAxis(int length, int longest, int overlap, const TileRule& rule);

  int length() const { return length_; }

  int tile() const { return tile_; }

  int count() const { return static_cast<int>(begins_.size()); }

  int begin(int index) const { return begins_[static_cast<std::size_t>(index)]; }

  // What tile `index` counts in each of its samples, `scale` of them a pixel. Over all tiles that
  // have a sample this sums up to 1.
  std::vector<float> shares(int index, int scale) const;

 private:
  int length_;
  int tile_;
  std::vector<int> begins_;
};

// A picture in tiles.
struct Tiling {
  TileAxis across;
  TileAxis down;

  int count() const { return across.count() * down.count(); }

  // Pixels computed for a pixel of the picture.
  double work() const;
};

}  // namespace vsr
