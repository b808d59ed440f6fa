#include "progress_teller.hpp"

#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>

namespace vsr::launcher {

namespace {

// Stages of which one needs less than this much longer than the other limit alike.
constexpr double kEven = 1.25;

// Seconds; 0: not known yet, or nothing. `pieces`: no more workers than that have work.
double left(std::int64_t frames, const cluster::Pace& pace, int pieces) {
  if (frames <= 0 || pieces <= 0 || pace.fps() <= 0) return 0;
  const double at_work = static_cast<double>(std::min(pieces, pace.workers)) / pace.workers;
  return static_cast<double>(frames) / (pace.fps() * at_work);
}

// Of the whole; a stage's is 0 while it is not known.
struct Left {
  double upscaling_s = 0;
  double encoding_s = 0;
  bool all_known = false;

  double seconds() const { return std::max(upscaling_s, encoding_s); }
};

Left left_of(const cluster::Progress& now) {
  Left all;
  all.upscaling_s = left(now.frames - now.frames_done, now.upscaling, now.total - now.done);
  all.encoding_s = left(now.frames - now.frames_encoded, now.encoding, now.total - now.encoded);
  // As long as no chunk is done, and encoders are slow, nothing is known of the whole; nor where
  // others upscale, of whom nothing has come yet.
  all.all_known = (now.encoded == now.total || all.encoding_s > 0) &&
                  (now.done == now.total || all.upscaling_s > 0);
  return all;
}

// As limit_of().
std::string limit_text(const cluster::Progress& now, double upscaling_s, double encoding_s) {
  const double upscaling = now.upscaling.fps();
  const double encoding = now.encoding.fps();
  if (encoding_s > kEven * upscaling_s && encoding_s > 0) {
    const bool over = now.done == now.total;  // then nothing is left to compare with
    const std::string against = over || upscaling <= encoding
                                    ? std::string()
                                    : format(" against {} of upscaling", rate_text(upscaling));
    const bool halved =
        upscaling_s <= encoding_s / 2 && now.total - now.encoded >= 2 * now.encoding.workers;
    return format("by the encoders ({} fps{}){}",
                  rate_text(encoding),
                  against,
                  halved ? ": twice the cores would halve it" : "");
  }
  if (upscaling_s > kEven * encoding_s && encoding_s > 0) {
    const std::string against = encoding <= upscaling
                                    ? std::string()
                                    : format(" against {} of the encoders", rate_text(encoding));
    return format("by upscaling ({} fps{})", rate_text(upscaling), against);
  }
  return {};
}

}  // namespace

std::string progress_text(const cluster::Progress& now, bool encode_follows) {
  std::string text = format("{} of {} segments", now.done, now.total);
  if (now.encoded < now.total) text += format(", {} encoded", now.encoded);
  const Left left = left_of(now);
  if (encode_follows || !left.all_known) {
    if (left.upscaling_s <= 0) return text;
    return text + format("; about {} of upscaling left", duration_text(left.upscaling_s));
  }
  if (left.seconds() <= 0) return text;
  const std::string limit = limit_of(now, encode_follows);
  return text + format("; about {} left", duration_text(left.seconds())) +
         (limit.empty() ? "" : ", " + limit);
}

double seconds_left(const cluster::Progress& now, bool encode_follows) {
  const Left left = left_of(now);
  if (now.done == now.total && now.encoded == now.total && !encode_follows) return 0;
  return encode_follows || !left.all_known || left.seconds() <= 0 ? -1 : left.seconds();
}

std::string limit_of(const cluster::Progress& now, bool encode_follows) {
  const Left left = left_of(now);
  if (encode_follows || !left.all_known || left.seconds() <= 0) return {};
  return limit_text(now, left.upscaling_s, left.encoding_s);
}

void ProgressTeller::operator()(const cluster::Progress& now) {
  tell_of_silence(now.silent, now.silence_s);
  if (now.upscaling.frames + now.encoding.frames == 0) return;  // nothing new in this start
  if (now.done == now.total && now.encoded == now.total) return;
  log::info("cluster", "{}", progress_text(now, encode_follows_));
}

void ProgressTeller::tell_of_silence(const std::vector<int>& silent, double silence_s) {
  for (const int rank : silent) {
    if (std::count(silent_.begin(), silent_.end(), rank) > 0) continue;
    log::warning("cluster",
                 "rank {} on {} has not been heard of for {} s: is it stopped, or its host out of "
                 "reach? What it had in hand goes to others",
                 rank,
                 ranks_.at(static_cast<std::size_t>(rank)).host,
                 silence_s);
  }
  for (const int rank : silent_) {
    if (std::count(silent.begin(), silent.end(), rank) > 0) continue;
    log::info("cluster", "rank {} is heard of again", rank);
  }
  silent_ = silent;
}

}  // namespace vsr::launcher
