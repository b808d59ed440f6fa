// Two films of one form (common_form.hpp) compared frame by frame.
#pragma once

#include "vsr/base/picture_quality.hpp"
#include "vsr/media/film_pairs.hpp"
#include "vsr/media/film_shift.hpp"
#include "vsr/media/timeline.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vsr::media {

struct OffsetFound {
  std::optional<std::int64_t> offset;  // for FramePairs
  std::string how;                     // why it is that, or why it could not be told
};

// Width to height as they are shown, which the timelines' pictures need not have.
struct FilmShapes {
  double a = 1;
  double b = 1;
};

// Shapes that differ by more do so visibly.
inline constexpr double kMostShapeDifference = 0.01;

// Frames of `b` that come before the partner of a's first one, up to fifty either way, by the
// pictures of one stretch of `of_a` in which something moves; several are tried. The films
// need not be of one form. `heed` is called now and then and returns false to stop
// (Error(kInterrupted)).
OffsetFound find_offset(const Timeline& a,
                        const Timeline& b,
                        PairedBy by,
                        const FrameRange& of_a,
                        const FilmShapes& shapes,
                        const std::function<bool()>& heed);

struct PairQuality {
  FramePair frames;
  PictureQuality quality;
};

struct FilmsCompared {
  std::vector<PairQuality> pairs;
  std::vector<ShiftChange> shifts;
  std::string failure;  // why not all of them; empty: all, or stopped
  bool stopped = false;
};

// Decodes both, each on threads of its own, and compares meanwhile; memory holds a few pictures and
// the figures. `progress` gets pairs done and returns false to stop. What can be compared before a
// film fails (Error(kInput), Error(kStorage)) is told.
// REQUIRES: timelines of one format.
FilmsCompared compare_films(const Timeline& a,
                            const Timeline& b,
                            const FramePairs& pairs,
                            const std::function<bool(std::int64_t)>& progress);

}  // namespace vsr::media
