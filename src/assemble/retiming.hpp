// Where what the source has at some time lies in the film: the picture keeps its frames and gets
// another clock, and everything else follows it.
#pragma once

#include "vsr/base/rational.hpp"

#include <cstdint>

namespace vsr::assemble {

// Plain value. All arithmetic is exact; only the result is rounded to a tick.
class Retiming {
 public:
  // `start_s`: source second that becomes 0. `speed`: final rate / timeline rate; 24/25 is slower.
  Retiming(const Rational& start_s, const Rational& speed) : start_s_(start_s), speed_(speed) {}

  bool changes_speed() const { return speed_ != Rational(1, 1); }

  const Rational& speed() const { return speed_; }

  const Rational& start_s() const { return start_s_; }

  // What a duration is multiplied by: 25/24 for 25 -> 24.
  Rational stretch() const { return speed_.inverse(); }

  // The film's time, in ticks of `to`, of `pts` ticks of `from` on the source's clock.
  std::int64_t place(std::int64_t pts,
                     const Rational& from,
                     const Rational& to,
                     Rounding rounding = Rounding::kNearest) const;
  // The film's ticks for a duration of the source.
  std::int64_t stretch_duration(std::int64_t duration,
                                const Rational& from,
                                const Rational& to) const;
  // Ticks of `unit` from the start to `pts` on the source's own clock (no change of speed).
  std::int64_t since_start(std::int64_t pts, const Rational& from, const Rational& unit) const;

 private:
  Rational start_s_;
  Rational speed_;
};

}  // namespace vsr::assemble
