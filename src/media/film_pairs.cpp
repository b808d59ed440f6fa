#include "vsr/media/film_pairs.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <cmath>

namespace vsr::media {

namespace {

constexpr double kClose = 0.01;
constexpr double kSpedUp = 1.05;

double apart(double a, double b) { return std::abs(a - b) / std::max(a, b); }

}  // namespace

Pairing choose_pairing(const FilmLength& a, const FilmLength& b) {
  const std::string counts =
      a.frames == b.frames ? format("both have {} frame{}", a.frames, a.frames == 1 ? "" : "s")
                           : format("they have {} and {} frames", a.frames, b.frames);
  const std::string rates = format("at {} and {} a second", to_string(a.rate), to_string(b.rate));
  if (a.rate == b.rate) {
    return {PairedBy::kNumber, format("by number: both are {} a second", to_string(a.rate))};
  }
  const auto a_frames = static_cast<double>(a.frames);
  const auto b_frames = static_cast<double>(b.frames);
  const double counts_apart = apart(a_frames, b_frames);
  const double lengths_apart = apart(a.seconds(), b.seconds());
  const double rates_apart = std::max((a.rate / b.rate).to_double(), (b.rate / a.rate).to_double());
  const bool close = std::min(counts_apart, lengths_apart) <= kClose;
  const bool number = close ? counts_apart <= lengths_apart : rates_apart <= kSpedUp;
  if (number && close) return {PairedBy::kNumber, format("by number: {}, {}", counts, rates)};
  if (number) {
    return {PairedBy::kNumber,
            format("by number: {}, {}, as far apart as a film is sped up", counts, rates)};
  }
  return {PairedBy::kTime,
          format("by time: {}, {}, and last {:.2f} and {:.2f} s",
                 counts,
                 rates,
                 a.seconds(),
                 b.seconds())};
}

FramePairs::FramePairs(PairedBy by,
                       const FilmLength& a,
                       const FilmLength& b,
                       std::int64_t offset,
                       const FrameRange& of_a)
    : offset_(offset) {
  if (by == PairedBy::kTime) {
    b_leads_ = b.rate < a.rate;
    a_ticks_ = a.rate.inverse();
    b_ticks_ = b.rate.inverse();
  }
  // Steps are frames of the one that leads, as if there were no offset: however large that is, no
  // more of them than the film has.
  const std::int64_t begin = b_leads_ ? -offset : of_a.begin;
  const std::int64_t end = b_leads_ ? b.frames - offset : of_a.end;
  for (std::int64_t step = begin; step < end; ++step) {
    const FramePair pair = pair_of(step);
    const bool there =
        pair.a >= of_a.begin && pair.a < of_a.end && pair.b >= 0 && pair.b < b.frames;
    if (!there) continue;
    if (size_ == 0) first_ = step;
    ++size_;
  }
  alone_of_a_ = of_a.size() - size_;
  const bool whole = of_a.begin == 0 && of_a.end == a.frames;
  if (whole) {
    alone_of_b_ = b.frames - size_;
  } else if (size_ > 0) {
    alone_of_b_ = at(size_ - 1).b - at(0).b + 1 - size_;
  }
}

FramePair FramePairs::pair_of(std::int64_t step) const {
  if (b_leads_) return {rescale(step, b_ticks_, a_ticks_), step + offset_};
  return {step, rescale(step, a_ticks_, b_ticks_) + offset_};
}

}  // namespace vsr::media
