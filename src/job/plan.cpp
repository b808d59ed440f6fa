#include "vsr/job/plan.hpp"

#include "vsr/base/error.hpp"

#include <algorithm>
#include <cstdlib>

namespace vsr {

namespace {

// An end between two segments as far as no scene cut moves it, and how far one may.
struct End {
  std::int64_t frame;
  std::int64_t most_moved;
};

// Of so many segments one is cut in two.
constexpr std::int64_t kTenth = 10;
// A scene cut moves an end by no more than this part of a segment.
constexpr std::int64_t kMovedPart = 4;

// Segments of `length` in `frames`: a rest of at least half a segment is one of its own.
std::int64_t how_many(std::int64_t frames, std::int64_t length) {
  return std::max<std::int64_t>(1, frames / length + (frames % length * 2 >= length));
}

std::vector<End> even_ends(std::int64_t timeline_frames, const PlanOptions& options) {
  if (timeline_frames <= 0 || options.segment_frames <= 0 || options.overlap_frames < 0) {
    throw Error(ErrorCode::kInternal, "plan_segments: lengths out of range");
  }
  const std::int64_t length = options.segment_frames;
  const std::int64_t half = length / 2;
  const std::int64_t count = how_many(timeline_frames, length);
  const std::int64_t halved = half > 0 ? count / kTenth : 0;
  const std::int64_t whole = count - halved;
  std::vector<End> ends;
  for (std::int64_t i = 1; i < whole; ++i) ends.push_back({i * length, length / kMovedPart});
  if (halved == 0) return ends;
  const std::int64_t begin = whole * length;
  const std::int64_t parts = how_many(timeline_frames - begin, half);
  for (std::int64_t i = 0; i < parts; ++i) ends.push_back({begin + i * half, half / kMovedPart});
  return ends;
}

std::int64_t moved(std::int64_t end,
                   std::int64_t most,
                   const std::vector<std::int64_t>& scene_cuts) {
  std::int64_t nearest = end;
  std::int64_t distance = most + 1;
  for (auto cut = std::ranges::lower_bound(scene_cuts, end - most);
       cut != scene_cuts.end() && *cut <= end + most;
       ++cut) {
    if (std::abs(*cut - end) >= distance) continue;
    nearest = *cut;
    distance = std::abs(*cut - end);
  }
  return nearest;
}

}  // namespace

std::vector<Segment> plan_segments(std::int64_t timeline_frames,
                                   const PlanOptions& options,
                                   const std::vector<std::int64_t>& scene_cuts) {
  const FrameRange timeline{0, timeline_frames};
  std::vector<std::int64_t> ends;
  for (const End& end : even_ends(timeline_frames, options)) {
    ends.push_back(moved(end.frame, end.most_moved, scene_cuts));
  }
  ends.push_back(timeline_frames);
  std::vector<Segment> segments;
  segments.reserve(ends.size());
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    Segment segment;
    segment.index = static_cast<int>(segments.size());
    segment.core = {begin, end};
    segment.input = grow(segment.core, options.overlap_frames, timeline);
    segments.push_back(segment);
    begin = end;
  }
  return segments;
}

std::vector<FrameRange> scene_cut_places(std::int64_t timeline_frames, const PlanOptions& options) {
  std::vector<FrameRange> places;
  for (const End& end : even_ends(timeline_frames, options)) {
    if (end.most_moved == 0) continue;
    places.push_back({end.frame - end.most_moved, end.frame + end.most_moved + 1});
  }
  return places;
}

std::vector<FrameRange> seam_frames(const Segment& segment) {
  const auto around = [&](std::int64_t end) {
    return grow({end, end}, kSeamFrames, segment.input);
  };
  const FrameRange first = around(segment.core.begin);
  const FrameRange last = around(segment.core.end);
  if (last.begin <= first.end) return {{first.begin, last.end}};
  return {first, last};
}

namespace {

// Every window gives all that it sees but the look-ahead, the last one all.
Window next_remembered(const FrameRange& all,
                       std::int64_t position,
                       std::int64_t longest,
                       std::int64_t overlap) {
  const std::int64_t left = all.end - position;
  if (left <= longest) return {{position, all.end}, {position, all.end}};
  const std::int64_t ahead = std::min(overlap, longest - 1);
  const std::int64_t most = longest - ahead;
  const std::int64_t count = 1 + (left - longest + most - 1) / most;
  // An even share, but never so little that those after it could not hold the rest.
  const std::int64_t others = (count - 2) * most + longest;
  const std::int64_t share = std::max((left + count - 1) / count, left - others);
  const FrameRange core{position, position + std::clamp<std::int64_t>(share, 1, most)};
  return {core, {core.begin, std::min(core.end + ahead, all.end)}};
}

}  // namespace

Window next_window(
    const Segment& segment, std::int64_t position, int max_seq_len, int overlap_frames, Past past) {
  if (!segment.input.contains(position) || max_seq_len < 1 || overlap_frames < 0) {
    throw Error(ErrorCode::kInternal, "next_window: position or lengths out of range");
  }
  const FrameRange& all = segment.input;
  const std::int64_t longest = max_seq_len;
  if (past == Past::kRemembered) return next_remembered(all, position, longest, overlap_frames);
  if (all.size() <= longest) return {{position, all.end}, all};

  // Context on each side, less where the window is too short to hold it and a frame of its own.
  const std::int64_t context = std::min<std::int64_t>(overlap_frames, (longest - 1) / 2);
  // Frames a window can give: its far end needs no look-ahead when it is the segment's end.
  const std::int64_t behind = std::min(context, position - all.begin);
  const std::int64_t left = all.end - position;
  if (behind + left <= longest) return {{position, all.end}, {position - behind, all.end}};

  // n windows from here on: this one gives longest - behind - context, those between
  // longest - 2*context, the last one longest - context. The fewest that do, equally filled.
  const std::int64_t first = longest - behind - context;
  const std::int64_t middle = longest - 2 * context;
  const std::int64_t last = longest - context;
  std::int64_t count = 2;
  if (left > first + last) count = 2 + (left - first - last + middle - 1) / middle;
  // An even share, but never so little that those after it could not hold the rest.
  const std::int64_t others = (count - 2) * middle + last;
  const std::int64_t share = std::max((left + count - 1) / count, left - others);
  const std::int64_t give = std::clamp<std::int64_t>(share, 1, first);
  const FrameRange core{position, position + give};
  return {core, {core.begin - behind, std::min(core.end + context, all.end)}};
}

std::vector<Window> plan_windows(const Segment& segment,
                                 int max_seq_len,
                                 int overlap_frames,
                                 Past past) {
  std::vector<Window> windows;
  std::int64_t position = segment.input.begin;
  while (position < segment.input.end) {
    windows.push_back(next_window(segment, position, max_seq_len, overlap_frames, past));
    position = windows.back().core.end;
  }
  return windows;
}

FrameRange preferred_segments(int segments, int rank, int ranks) {
  const std::int64_t n = segments;
  return {n * rank / ranks, n * (rank + 1) / ranks};
}

}  // namespace vsr
