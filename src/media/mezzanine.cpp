// write_mezzanine(): the whole film decoded and filtered once, in order.
#include "examine.hpp"
#include "mezzanine_file.hpp"
#include "rate.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/media/timeline.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace vsr::media {

namespace {

// What came out of the graph, of the whole film up to the end of the range.
struct FilteredFilm {
  std::vector<std::int64_t> pts;  // of every picture, in time_base
  Rational time_base{1, 1};
  std::int64_t first_kept = 0;  // number of the picture that is the mezzanine's first
  std::int64_t kept = 0;
};

// Pictures a little outside the range are kept too: which of them the constant rate wants is known
// only at the end.
constexpr double kMargin_s = 1.0;

class MezzanineRun {
 public:
  MezzanineRun(const SourceInfo& source,
               const TimelineOptions& options,
               const std::filesystem::path& path,
               const Progress& progress)
      : options_(options),
        path_(path),
        progress_(progress),
        film_(examine(source, options, [this](std::int64_t) { return goes_on(); })),
        decoder_(source.path.string(), source.video.stream, 0),
        pictures_(decoder_, numbering_of(film_)),
        filter_(filter_settings(film_, options)) {}

  FilteredFilm run();

  [[nodiscard]] const Examination& film() const { return film_; }

  [[nodiscard]] Rational rate_of_graph() const;

 private:
  // The first of all members to be used.
  bool goes_on() const { return !progress_ || progress_(file_ ? file_->pictures() : 0); }

  void heed_stop() const {
    if (!goes_on()) {
      throw Error(ErrorCode::kInterrupted, "stopped while the film was being decoded");
    }
  }

  bool take(FilteredFilm& result);

  const TimelineOptions& options_;
  const std::filesystem::path& path_;
  const Progress& progress_;
  std::optional<MezzanineFile> file_;
  Examination film_;
  PictureDecoder decoder_;
  SourcePictures pictures_;
  PictureFilter filter_;
};

// The rate a player of the mezzanine should use, and the first guess at the film's.
Rational MezzanineRun::rate_of_graph() const {
  const Rational rate = from_av(film_.output.rate, film_.declared.front());
  const bool usable = rate >= Rational(1, 1) && rate <= Rational(240, 1);
  return usable ? rate : Rational(25, 1);
}

// Writes what the graph has ready; false once the range is passed.
bool MezzanineRun::take(FilteredFilm& result) {
  while (const FramePtr frame = filter_.receive()) {
    heed_stop();
    result.time_base = from_av(filter_.output().time_base, film_.time_base);
    if (frame->pts == AV_NOPTS_VALUE || (!result.pts.empty() && frame->pts <= result.pts.back())) {
      continue;  // a filter's stray picture has no place
    }
    result.pts.push_back(frame->pts);
    const double at_s =
        static_cast<double>(frame->pts - result.pts.front()) * result.time_base.to_double();
    if (at_s < options_.start_s - kMargin_s) continue;
    if (options_.end_s > 0 && at_s > options_.end_s + kMargin_s) return false;
    if (!file_) {
      result.first_kept = static_cast<std::int64_t>(result.pts.size()) - 1;
      file_.emplace(path_,
                    filter_.output().format,
                    film_.colour,
                    rate_of_graph(),
                    from_av(filter_.output().sample_aspect, Rational(1, 1)),
                    0);
    }
    file_->write(*frame);
  }
  return true;
}

FilteredFilm MezzanineRun::run() {
  FilteredFilm result;
  pictures_.start_over();
  bool wanted = true;
  while (wanted) {
    heed_stop();
    FramePtr frame = pictures_.next();
    if (!frame) {
      // The times of a film without a clock are numbers of pictures.
      filter_.finish(film_.clockless ? 0 : film_.scan.last_duration);
      take(result);
      break;
    }
    filter_.send(std::move(frame));
    wanted = take(result);
  }
  if (!file_) {
    throw Error(ErrorCode::kUsage,
                format("input.start = {} lies behind the end of the film", options_.start_s));
  }
  file_->finish();
  heed_stop();
  result.kept = file_->pictures();
  if (!pictures_.faults().empty()) {
    log::warning("media",
                 "{}: {} pictures do not decode and were replaced by the one beside them, {} are "
                 "damaged and are shown as far as they decode",
                 decoder_.input().path,
                 pictures_.replaced(),
                 pictures_.damaged());
  }
  if (filter_.scaled_back()) {
    log::warning("media",
                 "{}: the picture size changes on the way; pictures are scaled back to {}",
                 decoder_.input().path,
                 to_string(filter_.output().format));
  }
  return result;
}

// Frame numbers to mezzanine pictures, and the time of frame 0.
void place_frames(const FilteredFilm& made,
                  const MezzanineRun& run,
                  const TimelineOptions& options,
                  Timeline& timeline) {
  const Examination& film = run.film();
  // Pictures without a clock were given the wanted rate before the graph saw them.
  const std::optional<Rational> wanted = film.clockless ? std::nullopt : options.fps;
  const std::vector<Rational> declared =
      film.one_to_one ? film.declared : std::vector<Rational>{run.rate_of_graph()};
  const std::int64_t last_duration =
      film.one_to_one ? film.scan.last_duration
                      : rescale(1, run.rate_of_graph().inverse(), made.time_base);
  const ConstantRate all =
      bring_to_constant_rate(made.pts, made.time_base, declared, wanted, last_duration);
  if (!all.steady) {
    log::warning("media",
                 "pictures are brought to {} a second: {} repeated, {} dropped",
                 to_string(all.rate),
                 all.repeated,
                 all.dropped);
  }
  const auto frames = static_cast<std::int64_t>(all.picture.size());
  const auto [begin, end] = frames_in_range(frames, all.rate, options.start_s, options.end_s);
  timeline.rate = all.rate;
  for (std::int64_t k = begin; k < end; ++k) {
    const std::int64_t picture = all.picture[static_cast<std::size_t>(k)] - made.first_kept;
    timeline.source_picture.push_back(std::clamp<std::int64_t>(picture, 0, made.kept - 1));
  }
  Rational first_s(0, 1);
  if (!film.scan.pts.empty()) {
    first_s = sum(Rational(made.pts.front(), 1) * made.time_base,
                  Rational(-film.scan.late, 1) * film.time_base);
  }
  timeline.start_time_s = sum(first_s, Rational(begin, 1) / all.rate);
}

// Reads the finished file's packets: all there, each enterable.
void verify(const std::filesystem::path& part,
            std::int64_t pictures,
            const Progress& progress,
            Timeline& timeline) {
  PictureDecoder decoder(part.string(), -1, 1);
  SourceScan scan =
      scan_source(decoder, [&](std::int64_t) { return !progress || progress(pictures); });
  if (!scan.broken.empty() || static_cast<std::int64_t>(scan.pts.size()) != pictures ||
      scan.keys.size() != scan.pts.size()) {
    throw Error(ErrorCode::kStorage,
                format("{}: holds {} of the {} pictures written {}; check the disk and start again",
                       part.string(),
                       scan.pts.size(),
                       pictures,
                       scan.broken));
  }
  timeline.source_bytes = decoder.input().bytes;
  timeline.source_time_base = from_av(decoder.stream().time_base, Rational(1, 1000));
  timeline.source_pts = std::move(scan.pts);
  timeline.seek_points = std::move(scan.keys);
  timeline.video_stream = decoder.stream().index;
}

}  // namespace

Timeline write_mezzanine(const SourceInfo& source,
                         const TimelineOptions& options,
                         const std::filesystem::path& path,
                         const std::function<bool(std::int64_t)>& progress) {
  MezzanineRun run(source, options, path, progress);
  const FilteredFilm made = run.run();
  const Examination& film = run.film();
  Timeline timeline;
  timeline.source = path.string();
  timeline.own_mezzanine = true;
  timeline.format = film.output.format;
  timeline.colour = film.colour;
  timeline.sample_aspect = from_av(film.output.sample_aspect, Rational(1, 1));
  timeline.source_colour = timeline.colour;
  timeline.source_sample_aspect = timeline.sample_aspect;
  place_frames(made, run, options, timeline);
  verify(part_name(path), made.kept, progress, timeline);
  publish(path);
  return timeline;
}

}  // namespace vsr::media
