#include "compare_command.hpp"

#include "stop_flag.hpp"
#include "terminal_progress.hpp"
#include "two_films.hpp"
#include "vsr/assemble/comparison.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/printable.hpp"

#include <iostream>
#include <tuple>
#include <utility>

namespace vsr::launcher {

namespace {

using assemble::ComparisonFile;
using assemble::ComparisonLayout;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kUsage, message); }

ComparisonLayout layout_of(const std::string& mode) {
  if (mode == "side") return ComparisonLayout::kSide;
  if (mode == "split") return ComparisonLayout::kSplit;
  refuse(format("--mode={} is not allowed; allowed: side, split", mode));
}

ComparisonFile file_of(const Arguments& arguments) {
  if (arguments.output.empty()) {
    refuse("vsr-dist compare needs -o OUT: a video (.mkv, .mp4, .mov) or a picture (.png, .jpg)");
  }
  const ComparisonFile file = assemble::comparison_file(arguments.output);
  const bool video = assemble::is_video(file);
  if (video && !arguments.at.empty()) {
    refuse(format("--at is for a picture, and {} is a video; --start and --duration choose a part",
                  arguments.output));
  }
  if (!video && !(arguments.start.empty() && arguments.duration.empty())) {
    refuse(format("--start and --duration are for a video, and {} is a picture; --at chooses one",
                  arguments.output));
  }
  return file;
}

// The pair of a frame of A; where the films are paired by time and B is the slower one, the one
// before.
media::FramePair pair_at(const FilmsPaired& paired, std::int64_t frame) {
  const media::FramePairs& pairs = paired.pairs;
  std::int64_t low = 0;
  std::int64_t high = pairs.size();
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    (pairs.at(middle).a <= frame ? low : high) = middle;
  }
  const bool within = pairs.at(0).a <= frame && frame <= pairs.at(pairs.size() - 1).a;
  if (!within) {
    refuse(format("--at: frame {} of A has no partner in B; frames {} to {} have one",
                  frame,
                  pairs.at(0).a,
                  pairs.at(pairs.size() - 1).a));
  }
  return pairs.at(low);
}

// By time and with a slower B, frames of A are left out.
Rational rate_of(const TwoFilms& films, const FilmsPaired& paired) {
  const Rational& a = films.a.timeline.rate;
  const Rational& b = films.b.timeline.rate;
  return paired.pairing.by == media::PairedBy::kTime && b < a ? b : a;
}

}  // namespace

int run_compare(const Arguments& arguments) {
  const ComparisonLayout layout = layout_of(arguments.mode);
  const ComparisonFile file = file_of(arguments);
  check_output(arguments.output, arguments);
  const StopFlag stop;
  const auto stopped = [&] { return stop.is_set(); };
  try {
    const TwoFilms films = open_two_films(
        arguments,
        [&](OpenFilm& a, OpenFilm& b) {
          std::tie(a.form, b.form) =
              assemble::comparison_forms(a.source.video, b.source.video, layout, file);
        },
        stopped);
    const FilmsPaired paired = pair_films(arguments, films, stopped);
    std::cout << describe(films, paired) << std::flush;
    const auto name = [](const OpenFilm& film) {
      return printable(film.source.path.filename().string());
    };
    assemble::ComparisonSpec spec{
        .a = films.a.timeline,
        .b = films.b.timeline,
        .form_a = films.a.form,
        .form_b = films.b.form,
        .sound = films.a.source.path,
        .rate = rate_of(films, paired),
        .layout = layout,
        .file = file,
        .title = format("left: {} | right: {}", name(films.a), name(films.b))};
    if (!assemble::is_video(file)) {
      const std::int64_t frame = arguments.at.empty()
                                     ? paired.pairs.at(0).a
                                     : frame_at("at", arguments.at, films.a.length());
      const media::FramePair pair = pair_at(paired, frame);
      assemble::write_comparison_picture(spec, pair, arguments.output);
      std::cout << format("{}: frame {} of A left, frame {} of B right\n",
                          printable(arguments.output),
                          pair.a,
                          pair.b);
      return 0;
    }
    std::vector<std::string> warnings;
    {
      TerminalProgress progress(paired.pairs.size());
      warnings = assemble::write_comparison_video(
          spec, paired.pairs, arguments.output, [&](std::int64_t done) {
            progress.tell(done);
            return !stopped();
          });
    }
    for (const std::string& warning : warnings) std::cout << format("warning: {}\n", warning);
    std::cout << format("{}: {} frames, {} a second, A left, B right\n",
                        printable(arguments.output),
                        paired.pairs.size(),
                        to_string(spec.rate));
    return 0;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInterrupted) throw;
    return stop.exit_status();
  }
}

}  // namespace vsr::launcher
