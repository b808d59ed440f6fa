// The arithmetic of the timeline: how it is cut into segments and windows. No video is opened here.
#pragma once

#include "vsr/base/frame_range.hpp"

#include <cstdint>
#include <vector>

namespace vsr {

// A segment is the unit of work, commit and resume: a stretch of timeline that one rank upscales.
// Plain value: copyable, no locks, travels over MPI and into the plan.
struct Segment {
  int index = 0;     // position on the timeline, from 0
  FrameRange core;   // [begin, end) in timeline frames: what it gives to the film
  FrameRange input;  // core plus halo, clamped to the timeline; contains core

  bool operator==(const Segment&) const = default;
};

struct PlanOptions {
  int segment_frames = 480;
  int overlap_frames = 10;
};

// Cuts [0, timeline_frames) so that the cores tile it exactly, whatever the number of ranks. A rest
// shorter than half a segment is shared with the segment before it rather than left as a stub.
// Of ten segments or more the last tenth is cut in two, so that ranks of unequal speed can finish
// together.
// An end between two segments lies at a multiple of segment_frames (before that tenth), or moves to
// the nearest of `scene_cuts` (first frames of scenes, ascending) where one is no further than a
// quarter of the segments' length: across a hard cut there is nothing to carry on. How many
// segments there are does not depend on the cuts, and no core is shorter than an eighth of
// segment_frames (if the film is not) or longer than one and three quarters. REQUIRES:
// timeline_frames > 0, options.segment_frames > 0, options.overlap_frames >= 0.
std::vector<Segment> plan_segments(std::int64_t timeline_frames,
                                   const PlanOptions& options,
                                   const std::vector<std::int64_t>& scene_cuts = {});

// Where scene cuts count: a range of frames for each end between two segments, its middle where the
// end lies without them. Empty where segments are too short to have any to give.
std::vector<FrameRange> scene_cut_places(std::int64_t timeline_frames, const PlanOptions& options);

// Frames on either side of a segment's end by which its seam is measured: the nearest ones, as what
// is shown of both segments is beside the end.
inline constexpr int kSeamFrames = 4;

// Those of a segment's input: around both ends of its core, in order, no frame twice. The film's
// own ends count as any, though no segment lies beyond.
std::vector<FrameRange> seam_frames(const Segment& segment);

// What one network forward sees. `core` are the frames it gives, `input` those it reads.
struct Window {
  FrameRange core;
  FrameRange input;

  bool operator==(const Window&) const = default;
};

// What a window sees of the frames before those that it gives: as many as of those after them; or
// none, since the network goes on from where the window before it ended.
enum class Past { kSeen, kRemembered };

// The next window of a segment: starts giving frames at `position` (the first one the segment has
// not got yet), sees at most `max_seq_len` frames and at most `overlap_frames` on each side of what
// it gives, never outside `segment.input`. The mezzanine holds core and halo, so windows tile the
// whole of `segment.input`. The remaining frames are shared out evenly over the fewest windows that
// do, so that none is a stub.
// A max_seq_len too short for the overlap shortens the context, never the core below one frame.
// REQUIRES: segment.input.contains(position), max_seq_len >= 1, overlap_frames >= 0.
Window next_window(const Segment& segment,
                   std::int64_t position,
                   int max_seq_len,
                   int overlap_frames,
                   Past past = Past::kSeen);

// All windows of a segment in order.
std::vector<Window> plan_windows(const Segment& segment,
                                 int max_seq_len,
                                 int overlap_frames,
                                 Past past = Past::kSeen);

// The segments [first, last) that rank `rank` of `ranks` prefers: contiguous, equal to within one.
FrameRange preferred_segments(int segments, int rank, int ranks);

}  // namespace vsr
