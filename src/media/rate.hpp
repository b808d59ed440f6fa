// Times of pictures -> one constant rate: arithmetic only.
#pragma once

#include "vsr/base/rational.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace vsr::media {

// Which picture a timeline at a constant rate shows when.
struct ConstantRate {
  Rational rate;
  bool steady = true;                 // one picture after the other, each once
  std::vector<std::int64_t> picture;  // for each timeline frame, an index into the times
  std::int64_t repeated = 0;          // pictures shown more than once, extra times
  std::int64_t dropped = 0;           // pictures never shown
};

// Whether pictures shown at `pts` follow each other at `rate`: no picture is further from its place
// than four tenths of a frame (clocks that count milliseconds, 2:3 pulldown flags), whatever the
// offset of the whole.
bool is_steady(std::span<const std::int64_t> pts, const Rational& time_base, const Rational& rate);

// The rate of pictures at `pts`: of `declared` (what the container says) and the usual film and
// television rates, the one at which they are steady, in that order. Of a variable rate, the one at
// which most pictures follow each other (a film with gaps), else their average; taken to a usual
// rate that is within half a percent of it.
Rational measure_rate(std::span<const std::int64_t> pts,
                      const Rational& time_base,
                      std::span<const Rational> declared);

// Brings pictures at `pts` (ascending) to `wanted`, or to the rate they have. Pictures that are
// steady at the rate are taken one by one. Otherwise timeline frame k shows the last picture whose
// time is at most k/rate plus half a frame, counted from the first picture: so jitter of less than
// half a frame changes nothing, longer gaps repeat a picture and crowded ones drop some, and sound
// stays in step. `last_duration`: ticks the last picture is shown; 0: one frame.
// REQUIRES: pts not empty.
ConstantRate bring_to_constant_rate(std::span<const std::int64_t> pts,
                                    const Rational& time_base,
                                    std::span<const Rational> declared,
                                    const std::optional<Rational>& wanted,
                                    std::int64_t last_duration);

// a + b, to the nearest microsecond where the exact sum has no room.
Rational sum(const Rational& a, const Rational& b);

// Frames [first, second) of a timeline of `frames` whose times lie in [start_s, end_s); end_s 0: to
// the end. Throws Error(kUsage) for a range that holds none.
std::pair<std::int64_t, std::int64_t> frames_in_range(std::int64_t frames,
                                                      const Rational& rate,
                                                      double start_s,
                                                      double end_s);

}  // namespace vsr::media
