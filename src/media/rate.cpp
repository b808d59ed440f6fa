#include "rate.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace vsr::media {

namespace {

const std::array<Rational, 17>& usual_rates() {
  static const std::array<Rational, 17> kRates{Rational(25, 1),
                                               Rational(24, 1),
                                               Rational(24000, 1001),
                                               Rational(30, 1),
                                               Rational(30000, 1001),
                                               Rational(50, 1),
                                               Rational(60, 1),
                                               Rational(60000, 1001),
                                               Rational(48, 1),
                                               Rational(48000, 1001),
                                               Rational(12, 1),
                                               Rational(12000, 1001),
                                               Rational(15, 1),
                                               Rational(15000, 1001),
                                               Rational(25, 2),
                                               Rational(100, 1),
                                               Rational(120, 1)};
  return kRates;
}

// Width, in frames at `rate`, of the band that holds every picture's distance from its place.
double spread_frames(std::span<const std::int64_t> pts,
                     const Rational& time_base,
                     const Rational& rate) {
  const double frames_per_tick = time_base.to_double() * rate.to_double();
  double least = 0;
  double most = 0;
  for (std::size_t i = 0; i < pts.size(); ++i) {
    // Differences of int64 keep every bit; only the small remainder is rounded.
    const double off =
        static_cast<double>(pts[i] - pts[0]) * frames_per_tick - static_cast<double>(i);
    least = std::min(least, off);
    most = std::max(most, off);
  }
  return most - least;
}

// Ticks between pictures: the gap that most have, give or take a fifth, else the average.
double usual_gap(std::span<const std::int64_t> pts) {
  std::vector<std::int64_t> gaps;
  for (std::size_t i = 1; i < pts.size(); ++i) gaps.push_back(pts[i] - pts[i - 1]);
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  const auto median = static_cast<double>(*middle);
  double sum = 0;
  std::size_t near = 0;
  for (const std::int64_t gap : gaps) {
    if (std::abs(static_cast<double>(gap) - median) > 0.2 * median) continue;
    sum += static_cast<double>(gap);
    ++near;
  }
  if (near * 2 > gaps.size()) return sum / static_cast<double>(near);
  return static_cast<double>(pts.back() - pts.front()) / static_cast<double>(gaps.size());
}

constexpr double kSteadyBand = 0.8;  // four tenths to either side

}  // namespace

bool is_steady(std::span<const std::int64_t> pts, const Rational& time_base, const Rational& rate) {
  return spread_frames(pts, time_base, rate) < kSteadyBand;
}

Rational measure_rate(std::span<const std::int64_t> pts,
                      const Rational& time_base,
                      std::span<const Rational> declared) {
  const Rational fallback = declared.empty() ? Rational(25, 1) : declared.front();
  if (pts.size() < 2) return fallback;
  std::vector<Rational> candidates(declared.begin(), declared.end());
  candidates.insert(candidates.end(), usual_rates().begin(), usual_rates().end());
  // The tightest band wins; an earlier candidate keeps its place against one that is better by no
  // more than rounding to ticks explains.
  const Rational* best = nullptr;
  double best_spread = kSteadyBand;
  for (const Rational& candidate : candidates) {
    const double spread = spread_frames(pts, time_base, candidate);
    const double tick_frames = time_base.to_double() * candidate.to_double();
    if (best == nullptr ? spread < best_spread : spread < best_spread - 2 * tick_frames) {
      best = &candidate;
      best_spread = spread;
    }
  }
  if (best != nullptr) return *best;

  const double rate = 1.0 / (usual_gap(pts) * time_base.to_double());
  const Rational* nearest = &usual_rates().front();
  for (const Rational& usual : usual_rates()) {
    if (std::abs(usual.to_double() - rate) < std::abs(nearest->to_double() - rate)) {
      nearest = &usual;
    }
  }
  constexpr double kSnap = 0.005;
  if (std::abs(nearest->to_double() - rate) < kSnap * rate) return *nearest;
  const std::int64_t thousandths = std::llround(rate * 1000);
  return thousandths > 0 ? Rational(thousandths, 1000) : fallback;
}

ConstantRate bring_to_constant_rate(std::span<const std::int64_t> pts,
                                    const Rational& time_base,
                                    std::span<const Rational> declared,
                                    const std::optional<Rational>& wanted,
                                    std::int64_t last_duration) {
  ConstantRate result;
  result.rate = wanted ? *wanted : measure_rate(pts, time_base, declared);
  const auto pictures = static_cast<std::int64_t>(pts.size());
  result.steady = is_steady(pts, time_base, result.rate);
  if (result.steady) {
    result.picture.resize(pts.size());
    for (std::int64_t i = 0; i < pictures; ++i) result.picture[static_cast<std::size_t>(i)] = i;
    return result;
  }
  const Rational frame_s = result.rate.inverse();
  const Rational half_frame_s = frame_s * Rational(1, 2);
  const std::int64_t last = last_duration > 0 ? last_duration : rescale(1, frame_s, time_base);
  const std::int64_t frames =
      std::max<std::int64_t>(1, rescale(pts.back() - pts.front() + last, time_base, frame_s));
  // A gap of hours at the end of a broken file must not become a timeline of hours.
  constexpr std::int64_t kMostFrames = 20'000'000;
  if (frames > kMostFrames) {
    throw Error(ErrorCode::kInput,
                format("the film's times span {} frames at {} a second: its clock is broken; set "
                       "preprocess.mezzanine = always",
                       frames,
                       to_string(result.rate)));
  }
  result.picture.reserve(static_cast<std::size_t>(frames));
  std::int64_t shown = 0;
  std::int64_t before = -1;
  for (std::int64_t k = 0; k < frames; ++k) {
    const std::int64_t until =
        pts.front() + rescale(2 * k + 1, half_frame_s, time_base, Rounding::kFloor);
    while (shown + 1 < pictures && pts[static_cast<std::size_t>(shown + 1)] <= until) ++shown;
    if (shown == before) ++result.repeated;
    if (shown > before + 1) result.dropped += shown - before - 1;
    before = shown;
    result.picture.push_back(shown);
  }
  result.dropped += pictures - 1 - before;
  return result;
}

Rational sum(const Rational& a, const Rational& b) {
  std::int64_t left = 0;
  std::int64_t right = 0;
  std::int64_t num = 0;
  std::int64_t den = 0;
  if (!__builtin_mul_overflow(a.num(), b.den(), &left) &&
      !__builtin_mul_overflow(b.num(), a.den(), &right) &&
      !__builtin_add_overflow(left, right, &num) &&
      !__builtin_mul_overflow(a.den(), b.den(), &den)) {
    return {num, den};
  }
  return {std::llround((a.to_double() + b.to_double()) * 1e6), 1'000'000};
}

std::pair<std::int64_t, std::int64_t> frames_in_range(std::int64_t frames,
                                                      const Rational& rate,
                                                      double start_s,
                                                      double end_s) {
  const auto first_at = [&](double seconds) {
    constexpr double kRounding = 1e-6;
    const double at = std::ceil(seconds * rate.to_double() - kRounding);
    return static_cast<std::int64_t>(std::clamp(at, 0.0, static_cast<double>(frames)));
  };
  const std::int64_t begin = first_at(start_s);
  const std::int64_t end = end_s > 0 ? first_at(end_s) : frames;
  if (begin >= end || !(start_s >= 0)) {
    throw Error(ErrorCode::kUsage,
                format("input.start = {}{} {} nothing of the film, which is {:.3f} seconds long",
                       start_s,
                       end_s > 0 ? format(" and input.end = {}", end_s) : "",
                       end_s > 0 ? "leave" : "leaves",
                       static_cast<double>(frames) / rate.to_double()));
  }
  return {begin, end};
}

}  // namespace vsr::media
