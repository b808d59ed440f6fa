#include "estimate.hpp"

#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <cmath>

namespace vsr::launcher {

namespace {

constexpr int kMoreCores = 16;    // a host's, as they are rented
constexpr double kEven = 1.15;    // stages that differ by less limit alike
constexpr double kWorthIt = 0.9;  // what makes less of a difference is not told

std::string about(double seconds) { return "about " + duration_text(seconds); }

Estimate with_cores(Estimate estimate, int more) {
  const double now = estimate.cores;
  estimate.encoding.fps *= (now + more) / now;
  estimate.cores += more;
  estimate.encoding.workers = static_cast<int>(estimate.encoding.workers * (now + more) / now);
  return estimate;
}

Estimate with_gpus(Estimate estimate, int more) {
  estimate.upscaling.fps *= static_cast<double>(estimate.gpus + more) / estimate.gpus;
  estimate.upscaling.workers += more;
  estimate.gpus += more;
  return estimate;
}

// From how many on the other stage would limit; empty where they are needed for more than that.
std::string more_cores_text(const Estimate& estimate) {
  if (estimate.core_s_frame <= 0 || estimate.cores <= 0) return {};
  std::string text;
  const double sooner = with_cores(estimate, kMoreCores).seconds();
  if (sooner < kWorthIt * estimate.seconds()) {
    text = format(": with {} more cores {}", kMoreCores, about(sooner));
  }
  if (estimate.order != Order::kBeside) return text;
  const double ratio = estimate.encoding.seconds() / std::max(1.0, estimate.upscaling.seconds());
  if (estimate.upscaling.frames > 0) {
    text += format("{} with about {} cores or more upscaling would be the limit",
                   text.empty() ? ":" : ";",
                   std::lround(std::ceil(estimate.cores * ratio)));
  }
  return text;
}

std::string more_gpus_text(const Estimate& estimate) {
  if (estimate.gpus == 0) return " on the CPU: a GPU would be many times as fast";
  std::string text;
  const double sooner = with_gpus(estimate, 1).seconds();
  if (sooner < kWorthIt * estimate.seconds()) text = ": with one more GPU " + about(sooner);
  if (estimate.order != Order::kBeside || estimate.encoding.frames == 0) return text;
  const double ratio = estimate.upscaling.seconds() / std::max(1.0, estimate.encoding.seconds());
  return text + format("{} with {} GPUs or more the encoders would be the limit",
                       text.empty() ? ":" : ";",
                       std::lround(std::ceil(estimate.gpus * ratio)));
}

}  // namespace

double Stage::seconds() const {
  if (frames == 0) return 0;
  const int at_work = std::max(1, std::min(pieces, workers));
  return static_cast<double>(frames) / (fps * at_work / std::max(1, workers));
}

double Estimate::seconds() const {
  const bool one_knows_nothing =
      (upscaling.frames > 0 && upscaling.fps <= 0) || (encoding.frames > 0 && encoding.fps <= 0);
  if (one_knows_nothing || order == Order::kBeside) {
    const auto known = [](const Stage& stage) { return stage.fps > 0 ? stage.seconds() : 0; };
    return std::max(known(upscaling), known(encoding));
  }
  return upscaling.seconds() + encoding.seconds();
}

std::string whole_text(const Estimate& estimate) {
  const Stage& up = estimate.upscaling;
  const Stage& enc = estimate.encoding;
  if (up.frames == 0 && enc.frames == 0) return "nothing is left but to join the film";
  if (up.frames > 0 && up.fps <= 0) {
    return enc.frames > 0 && enc.fps > 0
               ? format("{} at least, by the encoders; upscaling is not known",
                        about(enc.seconds()))
               : "not known";
  }
  if (enc.frames > 0 && enc.fps <= 0) {
    return format("{} at least, by upscaling; the encode is not known", about(up.seconds()));
  }
  const std::string text = about(estimate.seconds()) + " in all";
  if (enc.frames == 0) return text + ", by upscaling" + more_gpus_text(estimate);
  if (up.frames == 0) return text + ", by the encoders" + more_cores_text(estimate);
  const double longer = std::max(up.seconds(), enc.seconds());
  if (longer < kEven * std::min(up.seconds(), enc.seconds())) {
    return text + ", upscaling and encoding take equally long";
  }
  return enc.seconds() > up.seconds()
             ? text + ", limited by the encoders" + more_cores_text(estimate)
             : text + ", limited by upscaling" + more_gpus_text(estimate);
}

}  // namespace vsr::launcher
