// Which frame of one film belongs to which of another: arithmetic on numbers and rates.
#pragma once

#include "vsr/base/frame_range.hpp"
#include "vsr/base/rational.hpp"

#include <cstdint>
#include <string>

namespace vsr::media {

struct FilmLength {
  std::int64_t frames = 0;
  Rational rate;

  double seconds() const { return static_cast<double>(frames) / rate.to_double(); }
};

// The same pictures on another clock (25 made 24), or the same moments.
enum class PairedBy { kNumber, kTime };

struct Pairing {
  PairedBy by = PairedBy::kNumber;
  std::string why;  // "by number: both have 300 frames, at 24 and 25 a second"
};

// By number where the rates are equal, where the counts of frames are closer to each other than the
// lengths in time, or where neither is close and the rates differ by no more than a film is sped up
// (5 %); else by time.
Pairing choose_pairing(const FilmLength& a, const FilmLength& b);

struct FramePair {
  std::int64_t a = 0;
  std::int64_t b = 0;

  bool operator==(const FramePair&) const = default;
};

// The pairs in order; frames of both ascend strictly. By time each frame of the slower film has the
// frame of the faster one that is shown nearest to it. Plain value.
class FramePairs {
 public:
  // `offset`: frames of `b` that come before the partner of a's first one; may be negative.
  // `of_a`: frames of `a` that are asked for; within the film.
  FramePairs(PairedBy by,
             const FilmLength& a,
             const FilmLength& b,
             std::int64_t offset,
             const FrameRange& of_a);

  std::int64_t size() const { return size_; }

  // REQUIRES: 0 <= index < size().
  FramePair at(std::int64_t index) const { return pair_of(first_ + index); }

  // Frames asked for that have no partner: of `a`; and of `b`, where the whole of `a` is asked for,
  // else between the first and the last pair.
  std::int64_t alone_of_a() const { return alone_of_a_; }

  std::int64_t alone_of_b() const { return alone_of_b_; }

 private:
  FramePair pair_of(std::int64_t step) const;

  bool b_leads_ = false;  // a step is one of b's frames, else one of a's
  Rational a_ticks_{1, 1};
  Rational b_ticks_{1, 1};
  std::int64_t offset_ = 0;
  std::int64_t first_ = 0;
  std::int64_t size_ = 0;
  std::int64_t alone_of_a_ = 0;
  std::int64_t alone_of_b_ = 0;
};

}  // namespace vsr::media
