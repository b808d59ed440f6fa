#include "report_figures.hpp"

#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

namespace vsr::status {

namespace {

using Span = std::pair<double, double>;

// Seconds that these cover together.
double covered(std::vector<Span> spans) {
  std::ranges::sort(spans);
  double sum = 0;
  double end = -std::numeric_limits<double>::infinity();
  for (const auto& [from, to] : spans) {
    if (to <= end) continue;
    sum += to - std::max(from, end);
    end = to;
  }
  return sum;
}

std::vector<Span> spans_of(const store::LedgerPieces& records) {
  std::vector<Span> spans;
  for (const auto& record : records) {
    if (!record) continue;
    const auto begin = seconds_of(record->started);
    if (begin) spans.emplace_back(*begin, *begin + record->wall_s);
  }
  return spans;
}

WorkFigures work_of(const store::LedgerPieces& records) {
  WorkFigures work;
  for (const auto& record : records) {
    if (!record) continue;
    ++work.pieces;
    work.frames += record->segment.core.size();
    for (const auto& [stage, seconds] : record->stage_s) {
      const auto known =
          std::ranges::find(work.busy_s, stage, &std::pair<std::string, double>::first);
      if (known == work.busy_s.end()) {
        work.busy_s.emplace_back(stage, seconds);
      } else {
        known->second += seconds;
      }
    }
  }
  work.active_s = covered(spans_of(records));
  return work;
}

// Takes `begin` off the text, where it begins so.
bool take(std::string_view& text, std::string_view begin) {
  if (!text.starts_with(begin)) return false;
  text.remove_prefix(begin.size());
  return true;
}

std::optional<int> take_number(std::string_view& text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front())) == 0) return {};
  int value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// As the coordinator tells it (src/cluster/coordinator.cpp, tell_of_failure()): "cluster: segment 7
// failed on rank 2, to be tried again: why". Not by a regular expression, whose depth would be the
// text's length.
std::optional<Failure> failure_of(const store::StartEvent& event) {
  const std::string line = one_line(event.text);
  std::string_view rest = line;
  take(rest, "cluster: ");
  const std::string_view from_piece = rest;
  const bool chunk = take(rest, "the chunk of ");
  if (!take(rest, "segment ")) return {};
  const auto segment = take_number(rest);
  const std::string_view piece = from_piece.substr(0, from_piece.size() - rest.size());
  if (!segment || !take(rest, " failed on rank ")) return {};
  const auto rank = take_number(rest);
  if (!rank) return {};
  rest.remove_prefix(std::min(rest.find_first_not_of(":, "), rest.size()));
  return Failure{event.time, std::string(piece), chunk, *segment, *rank, std::string(rest), 0};
}

std::vector<Failure> failures_of(const store::RunLedger& run) {
  std::vector<Failure> failures;
  for (std::size_t i = 0; i < run.starts.size(); ++i) {
    for (const store::StartEvent& event : run.starts[i].second.events) {
      auto failure = failure_of(event);
      if (!failure) continue;
      failure->start = static_cast<int>(i);
      failures.push_back(std::move(*failure));
    }
  }
  return failures;
}

void add_measure(Figures& figures,
                 const store::RunLedger& run,
                 const char* name,
                 std::vector<float> FrameMeasures::*measure) {
  const std::vector<float> values = store::by_frame(run, measure);
  std::vector<float> known;
  MeasureFigures found{name, 0, 0, 0, -1};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    if (found.least_frame < 0 || values[i] < static_cast<float>(found.least)) {
      found.least = values[i];
      found.least_frame = static_cast<std::int64_t>(i);
    }
    known.push_back(values[i]);
  }
  if (known.empty()) return;
  found.most = *std::ranges::max_element(known);
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
  std::ranges::nth_element(known, middle);
  found.median = *middle;
  figures.measures.push_back(found);
  if (measure != &FrameMeasures::back_projection_db) return;
  figures.frames_measured = static_cast<std::int64_t>(known.size());
  figures.frames_low = std::ranges::count_if(
      known, [&](float db) { return db < static_cast<float>(figures.low_db); });
}

std::string sum_text(std::int64_t done, std::size_t all) { return format("{} of {}", done, all); }

double bytes_of(const store::LedgerPieces& records) {
  double bytes = 0;
  for (const auto& record : records) {
    if (record) bytes += static_cast<double>(record->bytes);
  }
  return bytes;
}

// Those of all starts, named once.
std::vector<std::string> names_of(const store::RunLedger& run,
                                  std::string store::StartRank::*what) {
  std::vector<std::string> names;
  for (const auto& [id, start] : run.starts) {
    for (const store::StartRank& rank : start.ranks) {
      if (!(rank.*what).empty() && std::ranges::find(names, rank.*what) == names.end()) {
        names.push_back(rank.*what);
      }
    }
  }
  return names;
}

// At one time, of all starts that were at work then.
std::size_t most_ranks(const store::RunLedger& run, const std::vector<AtWork>& starts) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    std::size_t ranks = run.starts[i].second.ranks.size();
    for (std::size_t other = 0; other < starts.size(); ++other) {
      const bool beside = other != i && starts[other].begin <= starts[i].begin &&
                          starts[i].begin < starts[other].end;
      if (beside) ranks += run.starts[other].second.ranks.size();
    }
    most = std::max(most, ranks);
  }
  return most;
}

// As the run itself warned (quality.warn_below).
double low_db(const store::RunLedger& run) {
  constexpr double kUsual = 25;
  const auto asked = run.job.find("quality.warn_below");
  if (asked == run.job.end()) return kUsual;
  return parse_number<double>(asked->second).value_or(kUsual);
}

bool was_interrupted(const store::StartFile& start) {
  return start.exit_status == 130 || start.exit_status == 143;
}

}  // namespace

Figures figures_of(const ReportData& data) {
  const store::RunLedger& run = data.run;
  Figures figures;
  figures.upscaling = work_of(run.segments);
  figures.encoding = work_of(run.chunks);
  std::vector<Span> spans = spans_of(run.segments);
  for (const Span& span : spans_of(run.chunks)) spans.push_back(span);
  figures.starts = starts_at_work(run);
  for (const AtWork& start : figures.starts) {
    if (start.begin > 0) spans.emplace_back(start.begin, start.end);
  }
  figures.work_s = covered(spans);
  if (!spans.empty()) {
    double last = spans.front().second;
    for (const auto& [from, to] : spans) last = std::max(last, to);
    figures.elapsed_s = last - std::ranges::min_element(spans)->first;
  }
  figures.failures = failures_of(run);
  figures.low_db = low_db(run);
  // Those that are worth a look; where none is, a few for what the lowest looks like.
  constexpr std::size_t kLowestShown = 3;
  const auto low = std::ranges::count_if(data.worst, [&](const ReportPicture& picture) {
    return picture.back_projection_db < figures.low_db;
  });
  figures.worst_shown =
      low > 0 ? static_cast<std::size_t>(low) : std::min(kLowestShown, data.worst.size());
  for (const auto& record : run.segments) {
    if (record && record->measures.back_projection_db.empty()) ++figures.pieces_unmeasured;
  }
  const auto add_retried = [&](const store::LedgerPieces& records, const char* what) {
    for (const auto& record : records) {
      if (record && record->attempt > 1) {
        figures.retried.emplace_back(format("{} {}", what, record->segment.index), record->attempt);
      }
    }
  };
  add_retried(run.segments, "segment");
  add_retried(run.chunks, "chunk");
  add_measure(figures, run, "Back-projection, dB", &FrameMeasures::back_projection_db);
  add_measure(figures, run, "Sharpness gain over bicubic", &FrameMeasures::sharpness_gain);
  add_measure(figures, run, "Sharpness, a pixel", &FrameMeasures::sharpness);
  add_measure(figures, run, "Mean luma", &FrameMeasures::luma_mean);
  add_measure(figures, run, "Decoder, s a frame", &FrameMeasures::decode_s);
  add_measure(figures, run, "Network, s a frame", &FrameMeasures::network_s);
  add_measure(figures, run, "Mezzanine's encoder, s a frame", &FrameMeasures::encode_s);
  return figures;
}

std::string film_name(const ReportData& data) {
  return data.source.name.empty() ? "A film" : data.source.name;
}

std::string time_of_frame(const ReportData& data, std::int64_t frame) {
  const double seconds =
      static_cast<double>(frame) / std::max(1e-9, data.run.plan.timeline_rate.to_double());
  const auto whole = static_cast<std::int64_t>(seconds);
  return format("{}:{:02d}:{:04.1f}",
                whole / 3600,
                whole / 60 % 60,
                std::floor(10 * (seconds - static_cast<double>(whole / 60 * 60))) / 10);
}

std::string in_words(const ReportData& data, const Figures& figures) {
  const store::Plan& plan = data.run.plan;
  const double length_s =
      static_cast<double>(plan.timeline_frames) / plan.timeline_rate.to_double();
  std::string text = format("{}: {} ({} at {} frames a second)",
                            film_name(data),
                            counted(plan.timeline_frames, "frame"),
                            duration_text(length_s),
                            to_string(plan.timeline_rate));
  const bool made = !data.films.empty();
  if (made) {
    text += format(", made into {}", counted(static_cast<std::int64_t>(data.films.size()), "film"));
  } else {
    text += format(", of which {} segments are upscaled",
                   sum_text(figures.upscaling.pieces, plan.segments.size()));
    if (data.run.in_chunks) {
      text += format(" and {} encoded", sum_text(figures.encoding.pieces, plan.segments.size()));
    }
  }
  if (figures.work_s > 0) {
    text += format(" in {} of work", duration_text(figures.work_s));
    const std::size_t ranks = most_ranks(data.run, figures.starts);
    if (ranks > 0) text += format(" by {}", counted(static_cast<std::int64_t>(ranks), "rank"));
    const auto starts = static_cast<std::int64_t>(data.run.starts.size());
    if (starts > 1) text += format(", {} starts", starts);
    if (figures.elapsed_s > 1.2 * figures.work_s) {
      text += format(", over {} with pauses", duration_text(figures.elapsed_s));
    }
    const std::int64_t frames = made ? plan.timeline_frames : figures.upscaling.frames;
    text += format(": {} frames a second over all",
                   rate_text(static_cast<double>(frames) / figures.work_s));
  }
  return text + ".";
}

std::vector<std::string> warnings_of(const ReportData& data, const Figures& figures) {
  const store::RunLedger& run = data.run;
  std::vector<std::string> warnings;
  if (data.films.empty()) warnings.emplace_back("The films are not made.");
  if (!run.starts.empty()) {
    const store::StartFile& last = run.starts.back().second;
    if (last.ended.empty()) {
      warnings.push_back(
          format("No end of the last start is known: it was at work at {}, and is still, or was "
                 "killed since.",
                 figures.starts.back().last));
    } else if (last.exit_status != 0) {
      warnings.push_back(was_interrupted(last)
                             ? "The last start was interrupted; the same command goes on."
                             : format("The last start failed: {}", one_line(last.message)));
    }
    std::int64_t failed = 0;
    for (std::size_t i = 0; i + 1 < run.starts.size(); ++i) {
      const store::StartFile& start = run.starts[i].second;
      if (start.exit_status != 0 && !was_interrupted(start)) ++failed;
    }
    if (failed > 0) {
      warnings.push_back(
          format("{} before the last one failed or left no end.", counted(failed, "start")));
    }
  }
  for (const std::string& problem : data.problems) warnings.push_back(one_line(problem));
  const auto seen = std::ranges::count_if(run.seams, &store::LedgerSeam::may_be_seen);
  if (seen > 0) {
    warnings.push_back(format("{} between segments may be seen (Seams).", counted(seen, "place")));
  }
  if (figures.frames_low > 0) {
    warnings.push_back(
        format("{} under {:.0f} dB of back-projection: the picture is not the source's there "
               "(Picture).",
               figures.frames_low == 1 ? "1 frame is" : format("{} frames are", figures.frames_low),
               figures.low_db));
  }
  if (!figures.failures.empty()) {
    warnings.push_back(
        format("{} at a piece failed (Retried).",
               counted(static_cast<std::int64_t>(figures.failures.size()), "attempt")));
  }
  std::int64_t events = 0;
  for (const auto* records : {&run.segments, &run.chunks}) {
    for (const auto& record : *records) {
      if (record) events += static_cast<std::int64_t>(record->events.size());
    }
  }
  if (events > 0) {
    warnings.push_back(
        format("Pieces' records tell of {} that went otherwise than planned (Retried).",
               counted(events, "thing")));
  }
  const auto measure = run.job.find("quality.measure");
  if (figures.pieces_unmeasured > 0 && (measure == run.job.end() || measure->second != "off")) {
    warnings.push_back(
        format("Nothing was measured of the pictures of {}: made by an older version, or with "
               "quality.measure = off.",
               counted(figures.pieces_unmeasured, "segment")));
  }
  return warnings;
}

std::vector<std::pair<std::string, std::string>> facts_of(const ReportData& data,
                                                          const Figures& figures) {
  const store::RunLedger& run = data.run;
  const store::Plan& plan = run.plan;
  std::vector<std::pair<std::string, std::string>> facts;
  facts.emplace_back("Frames", format("{}", plan.timeline_frames));
  facts.emplace_back(
      "Length",
      duration_text(static_cast<double>(plan.timeline_frames) / plan.timeline_rate.to_double()));
  facts.emplace_back("Mezzanine", format("{} × {}", plan.picture.width, plan.picture.height));
  const auto upscaled = sum_text(figures.upscaling.pieces, plan.segments.size());
  facts.emplace_back("Segments upscaled", upscaled);
  if (run.in_chunks) {
    facts.emplace_back("Segments encoded", sum_text(figures.encoding.pieces, plan.segments.size()));
  }
  if (figures.work_s > 0) facts.emplace_back("At work", duration_text(figures.work_s));
  if (figures.upscaling.fps() > 0) {
    facts.emplace_back("Upscaling", rate_text(figures.upscaling.fps()) + " fps");
  }
  if (figures.encoding.fps() > 0) {
    facts.emplace_back("Encoding", rate_text(figures.encoding.fps()) + " fps");
  }
  const auto gpus = names_of(run, &store::StartRank::gpu);
  facts.emplace_back("GPU",
                     gpus.empty()       ? "none"
                     : gpus.size() == 1 ? gpus.front()
                                        : format("{} kinds", gpus.size()));
  facts.emplace_back("Hosts", format("{}", names_of(run, &store::StartRank::host).size()));
  for (const MeasureFigures& of : figures.measures) {
    if (of.name.rfind("Back", 0) == 0) {
      facts.emplace_back("Back-projection", format("{:.1f} dB, worst {:.1f}", of.median, of.least));
    } else if (of.name.rfind("Sharpness gain", 0) == 0) {
      facts.emplace_back("Sharper than bicubic", format("{:.2f} times", of.median));
    }
  }
  return facts;
}

std::string limit_in_words(const Figures& figures) {
  std::string text;
  std::string most;
  double most_s = 0;
  for (const auto& [stage, seconds] : figures.upscaling.busy_s) {
    if (seconds > most_s) {
      most_s = seconds;
      most = stage;
    }
  }
  if (!most.empty()) {
    text = format("Of upscaling, the stage \u201c{}\u201d was at work longest", most);
    if (figures.upscaling.frames > 0) {
      text += format(" ({:.3g} s a frame)", most_s / static_cast<double>(figures.upscaling.frames));
    }
    text += ". ";
  }
  const double upscaling = figures.upscaling.fps();
  const double encoding = figures.encoding.fps();
  if (upscaling > 0 && encoding > 0) {
    constexpr double kEven = 1.25;
    if (encoding * kEven < upscaling) {
      text += format("The encoders limited the run: {} frames a second against {} of upscaling.",
                     rate_text(encoding),
                     rate_text(upscaling));
    } else if (upscaling * kEven < encoding) {
      text += format("Upscaling limited the run: {} frames a second against {} of the encoders.",
                     rate_text(upscaling),
                     rate_text(encoding));
    } else {
      text += format("Upscaling and encoding went alike: {} and {} frames a second.",
                     rate_text(upscaling),
                     rate_text(encoding));
    }
  }
  return text.empty() ? "Nothing is made yet." : text;
}

std::string quality_in_words(const Figures& figures) {
  std::string text = format("{} were measured. ", counted(figures.frames_measured, "frame"));
  for (const MeasureFigures& of : figures.measures) {
    if (of.name.rfind("Back", 0) != 0) continue;
    text += format(
        "Each was made as small as the source again and compared with it (back-projection, a PSNR: "
        "higher is more alike). Half of them reach {:.1f} dB; the lowest is frame {} with {:.1f} "
        "dB.",
        of.median,
        of.least_frame,
        of.least);
    if (figures.low_db > 0) {
      text += format(" Under {:.0f} dB a frame is worth a look: {}.",
                     figures.low_db,
                     figures.frames_low == 0   ? "none is"
                     : figures.frames_low == 1 ? "1 is"
                                               : format("{} are", figures.frames_low));
    }
  }
  return text;
}

std::string end_in_words(const store::StartFile& start) {
  if (start.ended.empty()) return "at work, or killed";
  if (start.exit_status == 0) return "done";
  if (was_interrupted(start)) return format("interrupted ({})", start.exit_status);
  return format("failed ({}): {}", start.exit_status, one_line(start.message));
}

std::vector<std::pair<std::string, double>> sizes_of(const ReportData& data) {
  std::vector<std::pair<std::string, double>> sizes;
  if (!data.source.name.empty())
    sizes.emplace_back(data.source.name + ", the source", data.source.bytes);
  const auto pieces = [](std::int64_t count, const char* one) { return counted(count, one); };
  const Figures figures = figures_of(data);
  sizes.emplace_back(pieces(figures.upscaling.pieces, "mezzanine") + ", as made",
                     bytes_of(data.run.segments));
  if (data.run.in_chunks) {
    sizes.emplace_back(pieces(figures.encoding.pieces, "chunk") + ", as made",
                       bytes_of(data.run.chunks));
  }
  for (const ReportFile& film : data.films) sizes.emplace_back(film.name, film.bytes);
  return sizes;
}

std::string command_line(const store::StartFile& start) {
  const std::vector<std::string>& words = start.launcher.empty() ? start.command : start.launcher;
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + shell_quoted(word);
  if (start.launcher.empty() && start.ranks.size() > 1) {
    line += format("   # by {} ranks; how they were started was not seen", start.ranks.size());
  }
  return line;
}

}  // namespace vsr::status
