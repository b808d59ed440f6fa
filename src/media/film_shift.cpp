#include "vsr/media/film_shift.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace vsr::media {

namespace {

// One grid for all, so that pictures of other sizes and shapes can be held against each other.
constexpr int kAcross = 48;
constexpr int kDown = 27;
constexpr std::int64_t kLeastOverlap = 6;
// Mean square of the change in time; (0.8 of 255 levels)^2.
constexpr double kLeastMotion = 1e-5;
constexpr double kLeastLikeness = 0.5;
// What the best shift lacks to full likeness, at most, as a share of what the next best lacks.
constexpr double kClearlyBetter = 0.7;
// By so much of what far shifts lack the best one has to stand out from its neighbours.
constexpr double kPeak = 0.02;
// The same of mean square differences, for a single picture; and what is noise in them.
constexpr double kClearlyCloser = 0.5;
constexpr double kNoise = 1e-6;
constexpr int kRun = 4;
constexpr int kReach = 3;

struct Lines {
  int begin = 0;
  int end = 0;
};

// The `index`th of `count` parts of them; at least one line, where there are fewer than parts.
Lines part_of(const Lines& lines, int index, int count) {
  const std::int64_t size = lines.end - lines.begin;
  const int begin = lines.begin + static_cast<int>(size * index / count);
  const int end = lines.begin + static_cast<int>(size * (index + 1) / count);
  return {begin, std::max(begin + 1, end)};
}

template <typename Sample>
void add_box(const PictureView& picture,
             std::size_t plane,
             const Lines& columns,
             const Lines& rows,
             Thumbnail& into) {
  std::uint64_t sum = 0;
  for (int y = rows.begin; y < rows.end; ++y) {
    const auto* row =
        reinterpret_cast<const Sample*>(picture.planes[plane] + y * picture.pitch_bytes[plane]);
    std::uint32_t row_sum = 0;
    for (int x = columns.begin; x < columns.end; ++x) row_sum += row[x];
    sum += row_sum;
  }
  const double most = std::exp2(picture.format.bit_depth) - 1;
  const double samples = double{1} * (columns.end - columns.begin) * (rows.end - rows.begin);
  into.push_back(static_cast<float>(static_cast<double>(sum) / (most * samples)));
}

void check_same_size(const Thumbnail& a, const Thumbnail& b) {
  if (a.size() == b.size()) return;
  throw Error(ErrorCode::kInternal,
              format("thumbnails of {} and {} boxes cannot be compared", a.size(), b.size()));
}

double mean_square(const Thumbnail& a, const Thumbnail& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] - b[i];
    sum += difference * difference;
  }
  return sum / static_cast<double>(a.size());
}

struct Likeness {
  double correlation = 0;
  double motion = 0;  // mean square change of `a` in time
};

// Of the frames that overlap at a shift: correlation of what remains when each place's mean in time
// is taken away. Nothing when too few overlap.
std::optional<Likeness> likeness(std::span<const Thumbnail> a,
                                 std::span<const Thumbnail> b,
                                 std::span<const std::int64_t> partner,
                                 std::int64_t shift) {
  std::vector<std::pair<const Thumbnail*, const Thumbnail*>> pairs;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const std::int64_t other = partner[k] + shift;
    if (other < 0 || other >= static_cast<std::int64_t>(b.size())) continue;
    pairs.emplace_back(&a[k], &b[static_cast<std::size_t>(other)]);
  }
  const auto count = static_cast<double>(pairs.size());
  const auto least = std::max(kLeastOverlap, static_cast<std::int64_t>(a.size()) / 2);
  if (static_cast<std::int64_t>(pairs.size()) < least) return std::nullopt;
  double of_a = 0;
  double of_b = 0;
  double of_both = 0;
  const std::size_t places = pairs.front().first->size();
  for (std::size_t place = 0; place < places; ++place) {
    double sum_a = 0;
    double sum_b = 0;
    double squares_a = 0;
    double squares_b = 0;
    double products = 0;
    for (const auto& [one, other] : pairs) {
      const double value_a = (*one)[place];
      const double value_b = (*other)[place];
      sum_a += value_a;
      sum_b += value_b;
      squares_a += value_a * value_a;
      squares_b += value_b * value_b;
      products += value_a * value_b;
    }
    of_a += squares_a - sum_a * sum_a / count;
    of_b += squares_b - sum_b * sum_b / count;
    of_both += products - sum_a * sum_b / count;
  }
  Likeness found;
  found.motion = of_a / (count * static_cast<double>(places));
  if (of_a > 0 && of_b > 0) found.correlation = of_both / std::sqrt(of_a * of_b);
  return found;
}

}  // namespace

Thumbnail make_thumbnail(const PictureView& picture, double share_of_height) {
  const PictureFormat& format = picture.format;
  const std::size_t plane = format.model == ColourModel::kRgb ? 1 : 0;
  const double left_out = std::floor(format.height * (1 - share_of_height) / 2);
  const int above = std::clamp(static_cast<int>(left_out), 0, (format.height - 1) / 2);
  const Lines columns{0, format.width};
  const Lines rows{above, format.height - above};
  Thumbnail made;
  made.reserve(std::size_t{kAcross} * kDown);
  const auto add = bytes_per_sample(format) == 2 ? add_box<std::uint16_t> : add_box<std::uint8_t>;
  for (int y = 0; y < kDown; ++y) {
    for (int x = 0; x < kAcross; ++x) {
      add(picture, plane, part_of(columns, x, kAcross), part_of(rows, y, kDown), made);
    }
  }
  return made;
}

ShiftFound find_shift(std::span<const Thumbnail> a,
                      std::span<const Thumbnail> b,
                      std::span<const std::int64_t> partner,
                      std::int64_t most) {
  if (a.size() != partner.size()) {
    throw Error(ErrorCode::kInternal, "a frame without the number of its partner");
  }
  ShiftFound found;
  found.moves = false;
  if (a.empty()) return found;
  for (const Thumbnail& one : a) check_same_size(one, a.front());
  for (const Thumbnail& other : b) check_same_size(other, a.front());
  std::vector<std::pair<std::int64_t, double>> all;
  for (std::int64_t shift = -most; shift <= most; ++shift) {
    const auto here = likeness(a, b, partner, shift);
    if (!here) continue;
    if (here->motion >= kLeastMotion) found.moves = true;
    all.emplace_back(shift, here->correlation);
  }
  if (!found.moves || all.empty()) return found;
  const auto [shift, best] =
      *std::ranges::max_element(all, {}, &std::pair<std::int64_t, double>::second);
  double beside = -1;  // the best of its neighbours, and of all others
  double elsewhere = -1;
  for (const auto& [other, correlation] : all) {
    if (other == shift) continue;
    double& rival = std::abs(other - shift) <= kReach ? beside : elsewhere;
    rival = std::max(rival, correlation);
  }
  const auto beats = [best = best](double rival) {
    return 1 - best < kClearlyBetter * (1 - rival);
  };
  // Where the picture is bad but the motion plain, likeness falls off to both sides by little at
  // first.
  const bool peak = best - beside > kPeak * (1 - elsewhere);
  if (best >= kLeastLikeness && beats(elsewhere) && (beats(beside) || peak)) found.shift = shift;
  return found;
}

const Thumbnail& ShiftWatch::a_at(std::int64_t pair) const {
  return a_[static_cast<std::size_t>(pair - added_) + a_.size()];
}

const Thumbnail& ShiftWatch::b_at(std::int64_t pair) const {
  return b_[static_cast<std::size_t>(pair - added_) + b_.size()];
}

void ShiftWatch::add(Thumbnail a, Thumbnail b) {
  constexpr std::size_t kKept = std::size_t{2} * (kFarthest + kReach) + 1;
  check_same_size(a, b);
  if (!a_.empty()) check_same_size(a, a_.front());
  a_.push_back(std::move(a));
  b_.push_back(std::move(b));
  if (a_.size() > kKept) a_.pop_front();
  if (b_.size() > kKept) b_.pop_front();
  ++added_;
  // Far enough behind for all of b's frames that it may fit.
  judge(added_ - 1 - kFarthest - kReach);
}

void ShiftWatch::finish() {
  for (std::int64_t pair = std::max<std::int64_t>(0, added_ - kFarthest - kReach); pair < added_;
       ++pair) {
    judge(pair);
  }
}

void ShiftWatch::judge(std::int64_t pair) {
  if (pair < 0) return;
  const std::int64_t oldest = added_ - static_cast<std::int64_t>(b_.size());
  double in_force = -1;
  double best = -1;
  double of_candidate = -1;
  int best_shift = shift_;
  for (int shift = shift_ - kReach; shift <= shift_ + kReach; ++shift) {
    const std::int64_t other = pair + shift;
    if (std::abs(shift) > kFarthest || other < oldest || other >= added_) continue;
    const double error = mean_square(a_at(pair), b_at(other));
    if (shift == shift_) in_force = error;
    if (shift == candidate_) of_candidate = error;
    if (best < 0 || error < best) {
      best = error;
      best_shift = shift;
    }
  }
  if (in_force < 0) return;
  if (best_shift == shift_) {
    const bool telling = best + kNoise <= kClearlyCloser * of_candidate;
    if (telling) run_ = 0;
    return;
  }
  if (best + kNoise > kClearlyCloser * in_force) return;  // says nothing
  if (run_ == 0 || best_shift != candidate_) {
    run_ = 0;
    candidate_ = best_shift;
    run_begin_ = pair;
  }
  if (++run_ < kRun) return;
  shift_ = candidate_;
  run_ = 0;
  changes_.push_back({run_begin_, shift_});
}

}  // namespace vsr::media
