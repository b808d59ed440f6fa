#include "vsr/base/tiles.hpp"

#include <algorithm>
#include <cstdint>

namespace vsr {

namespace {

int rounded_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

int tile_length(int length, int count, int overlap, const TileRule& rule) {
  const int shared = rounded_up(overlap, rule.unit);
  if (count == 1 || length <= shared) return length;
  const int own = (length - shared + count - 1) / count;
  return std::min(length, std::max(rule.least, rounded_up(own, rule.unit) + shared));
}

TileAxis::TileAxis(int length, int longest, int overlap, const TileRule& rule) : length_(length) {
  const int shared = rounded_up(overlap, rule.unit);
  const int own = longest / rule.unit * rule.unit - shared;
  const int count = length <= longest ? 1 : (length - shared + own - 1) / own;
  tile_ = tile_length(length, count, overlap, rule);
  const std::int64_t steps = (length - tile_) / rule.unit;
  for (int i = 0; i < count; ++i) {
    begins_.push_back(count == 1 ? 0 : static_cast<int>(steps * i / (count - 1)) * rule.unit);
  }
}

std::vector<float> TileAxis::shares(int index, int scale) const {
  // How far a sample of the picture lies within what of a tile counts: not the quarter of what is
  // shared at either end. The picture's own edges are none: no other tile knows more there.
  const auto depth = [&](int tile, int sample) {
    const auto quarter = [&](int before, int after) {
      return (begin(before) + tile_ - begin(after)) * scale / 4.0;
    };
    const double far = static_cast<double>(length_) * scale;
    const int first = begin(tile) * scale;
    const double left = tile == 0 ? far : sample - first + 0.5 - quarter(tile - 1, tile);
    const double right =
        tile + 1 == count() ? far : first + tile_ * scale - sample - 0.5 - quarter(tile, tile + 1);
    const bool inside = sample >= first && sample < first + tile_ * scale;
    return inside ? std::max(0.0, std::min(left, right)) : 0.0;
  };
  std::vector<float> shares;
  const int first = begin(index) * scale;
  for (int sample = first; sample < first + tile_ * scale; ++sample) {
    double all = 0;
    for (int tile = 0; tile < count(); ++tile) all += depth(tile, sample);
    shares.push_back(static_cast<float>(depth(index, sample) / all));
  }
  return shares;
}

double Tiling::work() const {
  const auto of = [](const TileAxis& axis) {
    return static_cast<double>(axis.count()) * axis.tile() / axis.length();
  };
  return of(across) * of(down);
}

}  // namespace vsr
