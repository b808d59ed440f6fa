#include "qc_command.hpp"

#include "qc_report.hpp"
#include "stop_flag.hpp"
#include "terminal_progress.hpp"
#include "two_films.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/film_comparison.hpp"

#include <cmath>
#include <iostream>

namespace vsr::launcher {

namespace {

void choose_form(OpenFilm& a, OpenFilm& b) {
  a.form = b.form = media::form_to_compare(a.source.video, b.source.video);
}

// What the films were not, once everything that could be told is printed.
void check_result(const QcReport& report) {
  const auto& compared = report.compared;
  if (!compared.failure.empty()) {
    throw Error(ErrorCode::kInput,
                format("{} of {} pairs were compared, then: {}",
                       compared.pairs.size(),
                       report.paired.pairs.size(),
                       compared.failure));
  }
  if (!report.passed().value_or(true)) {
    throw Error(ErrorCode::kInput,
                format("all frames and planes together have a PSNR of {:.2f} dB, less than "
                       "--fail-below={}",
                       report.summary.planes.back().psnr,
                       report.bound_db.value_or(0)));
  }
}

}  // namespace

int run_qc(const Arguments& arguments) {
  if (arguments.fail_below && !std::isfinite(*arguments.fail_below)) {
    throw Error(ErrorCode::kUsage, "--fail-below takes a number of dB");
  }
  if (!arguments.output.empty()) check_output(arguments.output, arguments);
  const StopFlag stop;
  const auto stopped = [&] { return stop.is_set(); };
  try {
    const TwoFilms films = open_two_films(arguments, choose_form, stopped);
    const FilmsPaired paired = pair_films(arguments, films, stopped);
    media::FilmsCompared compared;
    {
      TerminalProgress progress(paired.pairs.size());
      compared = media::compare_films(
          films.a.timeline, films.b.timeline, paired.pairs, [&](std::int64_t done) {
            progress.tell(done);
            return !stopped();
          });
    }
    if (compared.pairs.empty()) throw Error(ErrorCode::kInput, compared.failure);
    const QcSummary summary = summarise(compared.pairs, films.a.form.format);
    const QcReport report{films, paired, compared, summary, arguments.fail_below};
    std::cout << (arguments.json ? print_json(report) : print_text(report)) << std::flush;
    if (!arguments.output.empty()) write_file(arguments.output, print_csv(report));
    if (compared.stopped) return stop.exit_status();
    check_result(report);
    return 0;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInterrupted) throw;
    return stop.exit_status();
  }
}

}  // namespace vsr::launcher
