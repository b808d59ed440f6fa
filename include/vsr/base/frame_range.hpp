// Half-open ranges of frame numbers, [begin, end).
#pragma once

#include <algorithm>
#include <cstdint>

namespace vsr {

struct FrameRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  constexpr std::int64_t size() const { return end - begin; }

  constexpr bool empty() const { return end <= begin; }

  constexpr bool contains(std::int64_t frame) const { return begin <= frame && frame < end; }

  constexpr bool contains(const FrameRange& other) const {
    return begin <= other.begin && other.end <= end;
  }

  bool operator==(const FrameRange&) const = default;
};

// `range` grown by `frames` on both sides, but not past `limits`.
constexpr FrameRange grow(const FrameRange& range, std::int64_t frames, const FrameRange& limits) {
  return {std::max(range.begin - frames, limits.begin), std::min(range.end + frames, limits.end)};
}

}  // namespace vsr
