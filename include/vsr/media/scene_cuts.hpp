// Cuts between scenes, found in decoded pictures.
//
// Note [What a cut is]
// Three frames before that are alike, three behind it that are alike, and every one of these far
// from every one of those. Alike and far are told by luma averaged over some hundred parts of the
// picture, which motion changes little. So a flash of one or two frames is no cut, since frames on
// both of its sides are alike; a fade or a dissolve is none, since its steps are even; nor is a
// pan. What is missed (a scene of two frames, a cut amid wild motion, or between the fields of a
// frame) costs nothing but that a segment does not end there.
#pragma once

#include "vsr/base/frame_range.hpp"
#include "vsr/base/luma_samples.hpp"
#include "vsr/media/timeline.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace vsr::media {

// Frames looked at on each side of a cut.
inline constexpr int kFramesBesideCut = 3;

// Whether a scene begins in the middle of these 2 * kFramesBesideCut frames that follow each other.
bool is_scene_cut(std::span<const LumaSamples> frames);

// Of each of `places` the cut that is nearest to its middle, if there is any: the number of a
// scene's first frame. `places` are ranges of such numbers, in order, apart from each other. Only
// frames in and beside them are decoded (all from the film's start on where it cannot be entered),
// without the timeline's filters, by up to eight readers at once. `source`: of pictures before the
// filters. `threads`: 0: as many as this process may use; the result does not depend on them.
// `progress` gets the frames decoded so far, very often, from any thread but one at a time, and
// returns false to stop (Error(kInterrupted)). Throws as FrameReader does.
std::vector<std::int64_t> find_scene_cuts(const Timeline& timeline,
                                          const PictureFormat& source,
                                          const std::vector<FrameRange>& places,
                                          int threads,
                                          const std::function<bool(std::int64_t)>& progress = {});

}  // namespace vsr::media
