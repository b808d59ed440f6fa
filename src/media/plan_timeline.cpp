#include "examine.hpp"
#include "rate.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/timeline.hpp"

#include <algorithm>
#include <utility>

namespace vsr::media {

namespace {

using Mezzanine = TimelineOptions::Mezzanine;

// Why frames cannot be had from the source itself; empty: they can.
std::string reason_for_mezzanine(const Examination& film, const TimelineOptions& options) {
  const SourceScan& scan = film.scan;
  if (options.mezzanine == Mezzanine::kAlways) return "preprocess.mezzanine = always";
  if (!scan.broken.empty()) return scan.broken;
  if (!film.one_to_one) return "the filter graph changes the number or the times of pictures";
  if (!film.radius) return "the filter graph may depend on any earlier picture";
  if (scan.other_width > 0) {
    return format(
        "the picture size changes to {}x{} on the way", scan.other_width, scan.other_height);
  }
  return film.not_enterable;
}

// Frame numbers to source pictures: by the pictures' times, or one by one where there are none.
ConstantRate timeline_pictures(const Examination& film, const TimelineOptions& options) {
  if (film.scan.pts.empty()) {
    ConstantRate all;
    all.rate = film.declared.front();
    for (std::int64_t i = 0; i < film.scan.pictures; ++i) all.picture.push_back(i);
    return all;
  }
  return bring_to_constant_rate(film.scan.pts,
                                film.time_base,
                                film.declared,
                                film.clockless ? std::nullopt : options.fps,
                                film.scan.last_duration);
}

// A graph that changes the number of pictures says at what rate they come out, and so about how
// many.
void estimate_frames(const Examination& film, ConstantRate& all) {
  const Rational rate = from_av(film.output.rate, all.rate);
  const auto before = static_cast<std::int64_t>(all.picture.size());
  if (rate < Rational(1, 1) || rate > Rational(1000, 1)) return;
  const std::int64_t after =
      std::max<std::int64_t>(1, rescale(before, all.rate.inverse(), rate.inverse()));
  ConstantRate estimate;
  estimate.rate = rate;
  for (std::int64_t k = 0; k < after; ++k) {
    const std::int64_t from =
        std::min(before - 1, rescale(k, Rational(before, 1), Rational(after, 1)));
    estimate.picture.push_back(all.picture[static_cast<std::size_t>(from)]);
  }
  all = std::move(estimate);
}

}  // namespace

TimelinePlan plan_timeline(const SourceInfo& source,
                           const TimelineOptions& options,
                           const std::function<bool(std::int64_t)>& progress) {
  Examination film = examine(source, options, progress);
  TimelinePlan plan;
  plan.warnings = std::move(film.warnings);
  plan.why = reason_for_mezzanine(film, options);
  plan.needs_mezzanine = !plan.why.empty();
  ConstantRate all = timeline_pictures(film, options);
  if (!film.one_to_one) {
    estimate_frames(film, all);
  } else if (!all.steady) {
    plan.warnings.push_back(format("pictures are brought to {} a second: {} repeated, {} dropped",
                                   to_string(all.rate),
                                   all.repeated,
                                   all.dropped));
  }
  const auto frames = static_cast<std::int64_t>(all.picture.size());
  const auto [begin, end] = frames_in_range(frames, all.rate, options.start_s, options.end_s);

  Timeline& timeline = plan.timeline;
  timeline.source = source.path.string();
  timeline.source_bytes = source.file_bytes;
  timeline.filters = options.filters;
  timeline.rate = all.rate;
  timeline.format = film.output.format;
  timeline.colour = film.colour;
  timeline.sample_aspect = from_av(film.output.sample_aspect, Rational(1, 1));
  const Rational first_s =
      film.scan.pts.empty() ? Rational(0, 1)
                            : Rational(film.scan.pts.front() - film.scan.late, 1) * film.time_base;
  const Rational offset_s = Rational(begin, 1) / all.rate;
  timeline.start_time_s = sum(first_s, offset_s);
  timeline.source_picture.assign(all.picture.begin() + begin, all.picture.begin() + end);
  timeline.source_time_base = film.time_base;
  timeline.source_pts = std::move(film.scan.pts);
  timeline.seek_points = std::move(film.scan.keys);
  timeline.video_stream = source.video.stream;
  timeline.source_colour = film.source_colour;
  timeline.source_sample_aspect = film.source_sample_aspect;
  timeline.preroll_pictures = film.radius.value_or(0);
  timeline.seekable =
      film.scan.broken.empty() && film.radius.has_value() && film.not_enterable.empty();

  if (plan.needs_mezzanine && options.mezzanine == Mezzanine::kNever) {
    if (!film.one_to_one) {
      throw Error(
          ErrorCode::kUsage,
          format("filter graph '{}' changes the number or the times of pictures, which needs "
                 "preprocess.mezzanine = auto or always",
                 options.filters));
    }
    plan.needs_mezzanine = false;
    if (!timeline.seekable) {
      plan.warnings.push_back(
          format("every reader decodes the film from its start, which is slow: {}", plan.why));
    }
  }
  return plan;
}

}  // namespace vsr::media
