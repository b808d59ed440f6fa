#include "two_films.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"
#include "vsr/base/printable.hpp"
#include "vsr/base/time_text.hpp"
#include "vsr/media/film_comparison.hpp"

#include <algorithm>
#include <cmath>
#include <system_error>
#include <utility>

namespace vsr::launcher {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kUsage, message); }

void plan(OpenFilm& film,
          const char* name,
          const Stopped& stopped,
          std::vector<std::string>& warnings) {
  media::TimelineOptions options;
  options.filters = media::filters_to(film.source.video, film.form);
  options.mezzanine = media::TimelineOptions::Mezzanine::kNever;
  media::TimelinePlan planned =
      media::plan_timeline(film.source, options, [&](std::int64_t) { return !stopped(); });
  for (const std::string& warning : planned.warnings) {
    warnings.push_back(format("{}: {}", name, warning));
  }
  film.timeline = std::move(planned.timeline);
}

media::FilmShapes shapes_of(const TwoFilms& films) {
  return {media::shown_aspect(films.a.source.video).to_double(),
          media::shown_aspect(films.b.source.video).to_double()};
}

void warn_of_shapes(const TwoFilms& films, std::vector<std::string>& warnings) {
  const auto [a, b] = shapes_of(films);
  if (std::abs(a / b - 1) <= media::kMostShapeDifference) return;
  const PictureFormat& one = films.a.form.format;
  const PictureFormat& other = films.b.form.format;
  if (one.width != other.width || one.height != other.height) return;  // each keeps its shape
  warnings.push_back(
      format("the pictures are of other shapes, {:.3f}:1 and {:.3f}:1: one is stretched to the "
             "other; where one is cropped, crop both alike first",
             a,
             b));
}

void warn_of_fields(const OpenFilm& film, const char* name, std::vector<std::string>& warnings) {
  const media::FieldOrder order = film.source.video.field_order;
  if (order != media::FieldOrder::kTopFirst && order != media::FieldOrder::kBottomFirst) return;
  warnings.push_back(format("{} is interlaced: its frames are taken as they are", name));
}

FrameRange range_of_a(const Arguments& arguments, const media::FilmLength& a) {
  FrameRange range{0, a.frames};
  if (!arguments.start.empty()) range.begin = frame_at("start", arguments.start, a);
  if (!arguments.duration.empty()) {
    const auto seconds = parse_time(arguments.duration);
    if (!seconds || *seconds <= 0) {
      refuse(
          format("--duration={} is not a time such as 90, 1:30 or 0:01:30.5", arguments.duration));
    }
    const double frames = std::ceil(*seconds * a.rate.to_double() - 1e-6);
    const auto left = static_cast<double>(a.frames - range.begin);
    range.end = range.begin + static_cast<std::int64_t>(std::min(frames, left));
  }
  return range;
}

media::Pairing pairing_of(const Arguments& arguments, const TwoFilms& films) {
  if (arguments.align == "auto") {
    return media::choose_pairing(films.a.length(), films.b.length());
  }
  if (arguments.align == "number") return {media::PairedBy::kNumber, "by number, as asked for"};
  if (arguments.align == "time") return {media::PairedBy::kTime, "by time, as asked for"};
  refuse(format("--align={} is not allowed; allowed: auto, number, time", arguments.align));
}

std::string shift_text(std::int64_t offset) {
  if (offset == 0) return "both begin with the same frame";
  return format("B begins {} frame{} {}",
                std::abs(offset),
                std::abs(offset) == 1 ? "" : "s",
                offset > 0 ? "earlier" : "later");
}

std::string film_text(const char* name, const OpenFilm& film) {
  const media::VideoInfo& video = film.source.video;
  std::string text = format("{}      {}: {}, {} frames at {} a second, {}\n",
                            name,
                            printable(film.source.path.string()),
                            to_string(video.format),
                            film.timeline.frames(),
                            to_string(film.timeline.rate),
                            video.codec);
  const std::string conversion = media::conversion_text(video, film.form);
  if (!conversion.empty()) text += format("       {}\n", conversion);
  return text;
}

}  // namespace

TwoFilms open_two_films(const Arguments& arguments,
                        const ChooseForms& choose_forms,
                        const Stopped& stopped) {
  TwoFilms films;
  films.a.source = media::probe(arguments.inputs.at(0));
  films.b.source = media::probe(arguments.inputs.at(1));
  choose_forms(films.a, films.b);
  plan(films.a, "A", stopped, films.warnings);
  plan(films.b, "B", stopped, films.warnings);
  warn_of_shapes(films, films.warnings);
  warn_of_fields(films.a, "A", films.warnings);
  warn_of_fields(films.b, "B", films.warnings);
  return films;
}

FilmsPaired pair_films(const Arguments& arguments, const TwoFilms& films, const Stopped& stopped) {
  const media::Pairing pairing = pairing_of(arguments, films);
  const FrameRange of_a = range_of_a(arguments, films.a.length());
  std::int64_t offset = 0;
  std::string how = "as asked for";
  bool told = true;
  if (arguments.offset == "auto") {
    const auto found = media::find_offset(
        films.a.timeline, films.b.timeline, pairing.by, of_a, shapes_of(films), [&] {
          return !stopped();
        });
    offset = found.offset.value_or(0);
    how = found.how;
    told = found.offset.has_value();
  } else {
    const auto given = parse_number<std::int64_t>(arguments.offset);
    constexpr std::int64_t kMostOffset = 1'000'000'000;
    if (!given || std::abs(*given) > kMostOffset) {
      refuse(format("--offset={} is neither auto nor a number of frames", arguments.offset));
    }
    offset = *given;
  }
  media::FramePairs pairs(pairing.by, films.a.length(), films.b.length(), offset, of_a);
  if (pairs.size() == 0) {
    refuse(
        format("no frame of A (frames {} to {} of {}) has a partner in B ({} frames) with "
               "--offset={}",
               of_a.begin,
               of_a.end - 1,
               films.a.timeline.frames(),
               films.b.timeline.frames(),
               offset));
  }
  return {pairing, of_a, offset, how, told, pairs};
}

std::int64_t frame_at(const char* option, const std::string& text, const media::FilmLength& film) {
  std::int64_t frame = -1;
  if (text.starts_with('#')) {
    frame = parse_number<std::int64_t>(std::string_view(text).substr(1)).value_or(-1);
  } else if (const auto seconds = parse_time(text)) {
    // The frame on the screen at that time.
    const double at = std::floor(*seconds * film.rate.to_double() + 1e-6);
    frame = static_cast<std::int64_t>(std::min(at, static_cast<double>(film.frames)));
  }
  if (frame < 0) {
    refuse(
        format("--{}={} is neither a time such as 90, 1:30 or 0:01:30.5 nor a frame such as #1234",
               option,
               text));
  }
  if (frame >= film.frames) {
    refuse(format("--{}={} lies behind the end of A, which has {} frames and lasts {}",
                  option,
                  text,
                  film.frames,
                  time_text(film.seconds())));
  }
  return frame;
}

void check_output(const std::string& output, const Arguments& arguments) {
  std::error_code error;
  const fs::file_status status = fs::status(output, error);
  if (status.type() == fs::file_type::not_found) return;
  if (error) throw Error(ErrorCode::kStorage, format("{}: {}", output, error.message()));
  if (!fs::is_regular_file(status)) {
    refuse(format("{}: is there and no regular file; give another name with -o", output));
  }
  for (const std::string& input : arguments.inputs) {
    if (!fs::equivalent(output, input, error)) continue;
    refuse(format("{}: is one of the films; give another name with -o", output));
  }
  if (arguments.force) return;
  refuse(format("{}: is there already; remove it, or add --force to replace it", output));
}

std::string describe(const TwoFilms& films, const FilmsPaired& paired) {
  std::string text = film_text("A", films.a) + film_text("B", films.b);
  text += format("frames {}\n", paired.pairing.why);
  text += format("shift  {}: {}\n",
                 paired.told ? shift_text(paired.offset) : "not known, taken as none",
                 paired.how);
  for (const std::string& warning : films.warnings) text += format("warning: {}\n", warning);
  return text;
}

}  // namespace vsr::launcher
