#include "vsr/media/film_comparison.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/frames_ahead.hpp"

#include <algorithm>

namespace vsr::media {

namespace {

constexpr std::int64_t kStretch = 50;
constexpr std::int64_t kMostShift = 50;
// Fewer frames than this tell nothing.
constexpr std::int64_t kLeastFrames = 8;

void heed_stop(const std::function<bool()>& heed) {
  if (!heed()) throw Error(ErrorCode::kInterrupted, "stopped while the films were aligned");
}

// What may befall one place of a film and leave others readable.
bool is_of_film(const Error& error) {
  return error.code() == ErrorCode::kInput || error.code() == ErrorCode::kStorage;
}

std::vector<Thumbnail> thumbnails(const Timeline& film,
                                  const FrameRange& range,
                                  double share_of_height,
                                  const std::function<bool()>& heed) {
  std::vector<Thumbnail> made;
  FramesAhead frames(
      film, [&](std::int64_t i) { return range.begin + i; }, range.size());
  PictureView picture;
  while (frames.read(picture)) {
    heed_stop(heed);
    made.push_back(make_thumbnail(picture, share_of_height));
  }
  return made;
}

// Of each film's rows, those in the middle that are looked at.
struct Shares {
  double a = 1;
  double b = 1;
};

// Of other shapes the less wide one mostly has bars above and below, or has not been cropped there:
// its middle shows what the other one shows. Else they show the same in another shape.
std::vector<Shares> shares_to_try(const FilmShapes& shapes) {
  const double share = std::min(shapes.a, shapes.b) / std::max(shapes.a, shapes.b);
  if (share >= 1 - kMostShapeDifference) return {{}};
  if (shapes.a < shapes.b) return {{share, 1}, {}};
  return {{1, share}, {}};
}

// Beginnings of stretches: the film's first ones, where a shift matters most, then all over it.
std::vector<std::int64_t> places_to_look(const FrameRange& of_a) {
  constexpr std::int64_t kParts = 6;
  std::vector<std::int64_t> places;
  places.reserve(8);
  for (std::int64_t i = 0; i < 3; ++i) places.push_back(of_a.begin + i * kStretch);
  for (std::int64_t i = 1; i < kParts; ++i) places.push_back(of_a.begin + of_a.size() * i / kParts);
  std::vector<std::int64_t> distinct;
  for (const std::int64_t place : places) {
    const bool far = distinct.empty() || place >= distinct.back() + kStretch;
    if (far && place + kLeastFrames <= of_a.end) distinct.push_back(place);
  }
  return distinct;
}

}  // namespace

OffsetFound find_offset(const Timeline& a,
                        const Timeline& b,
                        PairedBy by,
                        const FrameRange& of_a,
                        const FilmShapes& shapes,
                        const std::function<bool()>& heed) {
  if (std::min(of_a.size(), b.frames()) < kLeastFrames) {
    return {std::nullopt, "there are too few frames"};
  }
  // Where a's frames would lie in b without a shift.
  const auto in_b = [&](std::int64_t frame) {
    return by == PairedBy::kNumber ? frame : rescale(frame, a.rate.inverse(), b.rate.inverse());
  };
  const auto look_at = [&](const FrameRange& range, const Shares& shares) -> ShiftFound {
    const FrameRange around{
        std::clamp<std::int64_t>(in_b(range.begin) - kMostShift, 0, b.frames()),
        std::clamp<std::int64_t>(in_b(range.end - 1) + 1 + kMostShift, 0, b.frames())};
    if (around.empty()) return {std::nullopt, false};
    std::vector<std::int64_t> partner;
    for (std::int64_t k = range.begin; k < range.end; ++k) {
      partner.push_back(in_b(k) - around.begin);
    }
    const std::vector<Thumbnail> in_a = thumbnails(a, range, shares.a, heed);
    return find_shift(in_a, thumbnails(b, around, shares.b, heed), partner, kMostShift);
  };
  bool moves = false;
  std::string unreadable;
  for (const std::int64_t place : places_to_look(of_a)) {
    for (const Shares& shares : shares_to_try(shapes)) {
      try {
        const ShiftFound found = look_at({place, std::min(place + kStretch, of_a.end)}, shares);
        moves = moves || found.moves;
        if (found.shift) {
          return {found.shift, format("found by the pictures from frame {} of A on", place)};
        }
      } catch (const Error& error) {
        if (!is_of_film(error)) throw;
        unreadable = error.what();
      }
    }
  }
  if (!unreadable.empty()) return {std::nullopt, "a film cannot be read: " + unreadable};
  return {std::nullopt,
          moves ? "no shift of up to 50 frames fits the pictures clearly best"
                : "the pictures hardly move"};
}

FilmsCompared compare_films(const Timeline& a,
                            const Timeline& b,
                            const FramePairs& pairs,
                            const std::function<bool(std::int64_t)>& progress) {
  FilmsCompared result;
  ShiftWatch watch;
  try {
    FramesAhead frames_a(
        a, [&](std::int64_t i) { return pairs.at(i).a; }, pairs.size());
    FramesAhead frames_b(
        b, [&](std::int64_t i) { return pairs.at(i).b; }, pairs.size());
    PictureView picture_a;
    PictureView picture_b;
    while (frames_a.read(picture_a) && frames_b.read(picture_b)) {
      const auto index = static_cast<std::int64_t>(result.pairs.size());
      result.pairs.push_back({pairs.at(index), compare_pictures(picture_a, picture_b)});
      watch.add(make_thumbnail(picture_a), make_thumbnail(picture_b));
      if (!progress(index + 1)) {
        result.stopped = true;
        break;
      }
    }
  } catch (const Error& error) {
    if (!is_of_film(error)) throw;
    result.failure = error.what();
  }
  watch.finish();
  result.shifts = watch.changes();
  return result;
}

}  // namespace vsr::media
