#include "progress_teller.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <string>

namespace vsr::launcher {

namespace {

// 0: not known yet, or nothing.
double left(int total, int done, int made, double seconds) {
  return made > 0 ? seconds / made * (total - done) : 0;
}

}  // namespace

void ProgressTeller::operator()(const cluster::Progress& now) {
  tell_of_silence(now.silent, now.silence_s);
  if (now.done == segments_ && now.encoded == chunks_) return;
  if (now.done == now.total && now.encoded == now.total) return;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const double upscaling = left(now.total, now.done, now.done - segments_, seconds);
  const double encoding = left(now.total, now.encoded, now.encoded - chunks_, seconds);
  std::string text = format("{} of {} segments", now.done, now.total);
  if (chunks_ >= 0 && now.encoded < now.total) text += format(", {} encoded", now.encoded);
  if (std::max(upscaling, encoding) > 0) {
    text += format("; about {:.0f} s left", std::max(upscaling, encoding));
  }
  if (upscaling > 0 && encoding > upscaling) text += ", by the encoders";
  log::info("cluster", "{}", text);
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
