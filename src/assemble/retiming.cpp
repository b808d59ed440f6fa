#include "retiming.hpp"

#include <limits>
#include <numeric>

namespace vsr::assemble {

namespace {

__extension__ using Int128 = __int128;

// (pts * from - start) / speed, in ticks of `to`.
std::int64_t shift_and_scale(std::int64_t pts,
                             const Rational& from,
                             const Rational& start,
                             const Rational& speed,
                             const Rational& to,
                             Rounding rounding) {
  // Over the denominator from.den * start.den first: seconds since the start, exactly.
  const std::int64_t common = std::lcm(from.den(), start.den());
  const Int128 ticks = static_cast<Int128>(pts) * from.num() * (common / from.den()) -
                       static_cast<Int128>(start.num()) * (common / start.den());
  constexpr Int128 kMost = std::numeric_limits<std::int64_t>::max();
  if (ticks > kMost || ticks < -kMost) {
    return ticks > 0 ? std::numeric_limits<std::int64_t>::max()
                     : std::numeric_limits<std::int64_t>::min();
  }
  return rescale(static_cast<std::int64_t>(ticks), Rational(1, common) / speed, to, rounding);
}

}  // namespace

std::int64_t Retiming::place(std::int64_t pts,
                             const Rational& from,
                             const Rational& to,
                             Rounding rounding) const {
  return shift_and_scale(pts, from, start_s_, speed_, to, rounding);
}

std::int64_t Retiming::stretch_duration(std::int64_t duration,
                                        const Rational& from,
                                        const Rational& to) const {
  return rescale(duration, from / speed_, to);
}

std::int64_t Retiming::since_start(std::int64_t pts,
                                   const Rational& from,
                                   const Rational& unit) const {
  return shift_and_scale(pts, from, start_s_, Rational(1, 1), unit, Rounding::kNearest);
}

}  // namespace vsr::assemble
