#include "qc_report.hpp"

#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/time_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace vsr::launcher {

namespace {

using Json = nlohmann::ordered_json;
using media::PairQuality;

constexpr std::size_t kWorst = 10;

std::vector<std::string> plane_names(const PictureFormat& format) {
  switch (format.model) {
    case ColourModel::kYuv:
      return {"Y", "U", "V"};
    case ColourModel::kRgb:
      return {"R", "G", "B"};
    case ColourModel::kGray:
      return {"Y"};
  }
  return {};
}

// Of the planes, and last of all together.
std::vector<double> mean_squares(const PictureQuality& quality, const PictureFormat& format) {
  std::vector<double> values;
  values.reserve(4);
  for (int plane = 0; plane < plane_count(format); ++plane) {
    values.push_back(quality.planes[static_cast<std::size_t>(plane)].mean_square);
  }
  values.push_back(mean_square_of_all(quality, format));
  return values;
}

std::vector<std::optional<double>> ssims(const PictureQuality& quality,
                                         const PictureFormat& format) {
  std::vector<std::optional<double>> values;
  values.reserve(4);
  for (int plane = 0; plane < plane_count(format); ++plane) {
    values.push_back(quality.planes[static_cast<std::size_t>(plane)].ssim);
  }
  values.push_back(ssim_of_all(quality, format));
  return values;
}

PlaneSummary summarise_plane(const std::vector<PairQuality>& pairs,
                             const PictureFormat& format,
                             std::size_t plane) {
  PlaneSummary summary;
  double mean_square = 0;
  std::vector<double> psnr;
  std::vector<double> ssim;
  for (const PairQuality& pair : pairs) {
    const double own = mean_squares(pair.quality, format)[plane];
    mean_square += own / static_cast<double>(pairs.size());
    psnr.push_back(psnr_of(own, format.bit_depth));
    if (const auto value = ssims(pair.quality, format)[plane]) ssim.push_back(*value);
  }
  summary.psnr = psnr_of(mean_square, format.bit_depth);
  summary.psnr_of_frame = spread_of(std::move(psnr));
  if (!ssim.empty()) summary.ssim = spread_of(std::move(ssim));
  return summary;
}

double psnr_of_all(const PairQuality& pair, const PictureFormat& format) {
  return psnr_of(mean_square_of_all(pair.quality, format), format.bit_depth);
}

std::string db_text(double db) { return std::isinf(db) ? "identical" : format("{:.2f}", db); }

const PictureFormat& format_of(const QcReport& report) { return report.films.a.form.format; }

double seconds_at(const OpenFilm& film, std::int64_t frame) {
  return static_cast<double>(frame) / film.timeline.rate.to_double();
}

// The pair from which on another shift fits than the one `before`.
std::string shift_line(const QcReport& report, const media::ShiftChange& change, int before) {
  const media::FramePair frames =
      report.compared.pairs[static_cast<std::size_t>(change.pair)].frames;
  const std::int64_t fits = frames.b + change.shift;
  const bool lost_by_b = change.shift < before;
  return format("from frame {} of A ({}) on {}: just before it {} lacks {}, or {} has {} twice",
                frames.a,
                time_text(seconds_at(report.films.a, frames.a)),
                change.shift == 0
                    ? std::string("the frames fit as they are paired again")
                    : format("frame {} of B fits better than {}, its partner", fits, frames.b),
                lost_by_b ? "B" : "A",
                counted(std::abs(change.shift - before), "frame"),
                lost_by_b ? "A" : "B",
                std::abs(change.shift - before) == 1 ? "one" : "as many");
}

// "none", "1 frame of A", "1 frame of A and 3 frames of B".
std::string alone_text(const media::FramePairs& pairs) {
  std::string text;
  const auto add = [&](std::int64_t count, const char* film) {
    if (count == 0) return;
    text += format("{}{} of {}", text.empty() ? "" : " and ", counted(count, "frame"), film);
  };
  add(pairs.alone_of_a(), "A");
  add(pairs.alone_of_b(), "B");
  return text.empty() ? "none" : text;
}

std::string table_of_planes(const QcSummary& summary) {
  std::string text = format("{:5} {:>9} | {:>9} {:>9} {:>9} {:>9} | {:>8} {:>8} {:>8} {:>8}\n",
                            "",
                            "PSNR, dB",
                            "mean of",
                            "worst",
                            "worst",
                            "worst",
                            "SSIM",
                            "worst",
                            "worst",
                            "worst");
  text += format("{:5} {:>9} | {:>9} {:>9} {:>9} {:>9} | {:>8} {:>8} {:>8} {:>8}\n",
                 "",
                 "all",
                 "frames",
                 "frame",
                 "1 %",
                 "5 %",
                 "mean",
                 "frame",
                 "1 %",
                 "5 %");
  for (const PlaneSummary& plane : summary.planes) {
    const Spread& psnr = plane.psnr_of_frame;
    text += format("{:5} {:>9} | {:>9} {:>9} {:>9} {:>9} |",
                   plane.name,
                   db_text(plane.psnr),
                   db_text(psnr.mean),
                   db_text(psnr.least),
                   db_text(psnr.percentile_1),
                   db_text(psnr.percentile_5));
    if (!plane.ssim) {
      text += " too small for SSIM\n";
      continue;
    }
    text += format(" {:8.5f} {:8.5f} {:8.5f} {:8.5f}\n",
                   plane.ssim->mean,
                   plane.ssim->least,
                   plane.ssim->percentile_1,
                   plane.ssim->percentile_5);
  }
  return text;
}

std::string table_of_worst(const QcReport& report) {
  const PictureFormat& format = format_of(report);
  std::string text = vsr::format(
      "{:>8} {:>13} {:>8} {:>13} {:>9}", "frame A", "time A", "frame B", "time B", "PSNR all");
  for (const std::string& name : plane_names(format)) text += vsr::format(" {:>9}", name);
  text += vsr::format(" {:>8}\n", "SSIM all");
  for (const std::size_t index : report.summary.worst) {
    const PairQuality& pair = report.compared.pairs[index];
    text += vsr::format("{:>8} {:>13} {:>8} {:>13} {:>9}",
                        pair.frames.a,
                        time_text(seconds_at(report.films.a, pair.frames.a)),
                        pair.frames.b,
                        time_text(seconds_at(report.films.b, pair.frames.b)),
                        db_text(psnr_of_all(pair, format)));
    for (int plane = 0; plane < plane_count(format); ++plane) {
      text += vsr::format(
          " {:>9}",
          db_text(psnr_of(pair.quality.planes[static_cast<std::size_t>(plane)].mean_square,
                          format.bit_depth)));
    }
    const auto ssim = ssim_of_all(pair.quality, format);
    text += ssim ? vsr::format(" {:8.5f}\n", *ssim) : " -\n";
  }
  return text;
}

template <typename Value>
Json json_or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

// JSON knows no infinity.
Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json spread_json(const Spread& spread) {
  return {{"mean", finite(spread.mean)},
          {"least", finite(spread.least)},
          {"percentile_1", finite(spread.percentile_1)},
          {"percentile_5", finite(spread.percentile_5)}};
}

Json film_json(const OpenFilm& film) {
  const media::VideoInfo& video = film.source.video;
  return {{"file", film.source.path.string()},
          {"codec", video.codec},
          {"width", video.format.width},
          {"height", video.format.height},
          {"bit_depth", video.format.bit_depth},
          {"format", to_string(video.format)},
          {"frames", film.timeline.frames()},
          {"rate", to_string(film.timeline.rate)},
          {"matrix", to_string(video.colour.matrix)},
          {"full_range", video.colour.full_range},
          {"conversion", media::conversion_text(video, film.form)}};
}

Json pair_json(const QcReport& report, const PairQuality& pair) {
  const PictureFormat& format = format_of(report);
  Json planes = Json::object();
  std::vector<std::string> names = plane_names(format);
  names.emplace_back("all");
  const auto squares = mean_squares(pair.quality, format);
  const auto ssim = ssims(pair.quality, format);
  for (std::size_t i = 0; i < names.size(); ++i) {
    planes[names[i]] = {{"psnr", finite(psnr_of(squares[i], format.bit_depth))},
                        {"ssim", json_or_null(ssim[i])}};
  }
  return {{"a", pair.frames.a},
          {"a_s", seconds_at(report.films.a, pair.frames.a)},
          {"b", pair.frames.b},
          {"b_s", seconds_at(report.films.b, pair.frames.b)},
          {"planes", planes}};
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto ranked = [&](double share) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(rank, 1) - 1];
  };
  const auto finite_end =
      std::find_if(values.begin(), values.end(), [](double value) { return std::isinf(value); });
  const auto count = static_cast<double>(finite_end - values.begin());
  Spread spread;
  spread.mean = count > 0 ? std::accumulate(values.begin(), finite_end, 0.0) / count
                          : std::numeric_limits<double>::infinity();
  spread.least = values.front();
  spread.percentile_1 = ranked(0.01);
  spread.percentile_5 = ranked(0.05);
  return spread;
}

QcSummary summarise(const std::vector<PairQuality>& pairs, const PictureFormat& format) {
  QcSummary summary;
  std::vector<std::string> names = plane_names(format);
  names.emplace_back("all");
  for (std::size_t plane = 0; plane < names.size(); ++plane) {
    summary.planes.push_back(summarise_plane(pairs, format, plane));
    summary.planes.back().name = names[plane];
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (std::isinf(psnr_of_all(pairs[i], format))) {
      ++summary.identical_frames;
    } else {
      order.push_back(i);
    }
  }
  summary.identical = order.empty();
  const auto worse = [&](std::size_t one, std::size_t other) {
    const double a = psnr_of_all(pairs[one], format);
    const double b = psnr_of_all(pairs[other], format);
    return a != b ? a < b : one < other;
  };
  const std::size_t count = std::min(kWorst, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(), worse);
  order.resize(count);
  summary.worst = std::move(order);
  return summary;
}

std::optional<bool> QcReport::passed() const {
  if (!bound_db) return std::nullopt;
  return summary.planes.back().psnr >= *bound_db;
}

std::string print_text(const QcReport& report) {
  const auto& pairs = report.compared.pairs;
  const media::FramePairs& planned = report.paired.pairs;
  std::string text = describe(report.films, report.paired);
  text += format("pairs  {}: frames {} to {} of A with {} to {} of B; without a partner: {}\n",
                 pairs.size(),
                 pairs.front().frames.a,
                 pairs.back().frames.a,
                 pairs.front().frames.b,
                 pairs.back().frames.b,
                 alone_text(planned));
  if (static_cast<std::int64_t>(pairs.size()) < planned.size()) {
    text += format("warning: only {} of {} pairs were compared{}\n",
                   pairs.size(),
                   planned.size(),
                   report.compared.stopped ? ": stopped" : "");
  }
  int shift = 0;
  for (const media::ShiftChange& change : report.compared.shifts) {
    text += format("warning: {}\n", shift_line(report, change, shift));
    shift = change.shift;
  }
  const std::string form = to_string(format_of(report));
  if (report.summary.identical) {
    text +=
        format("\nidentical: all samples of all {} pairs are the same ({})\n", pairs.size(), form);
    return text;
  }
  text += format("\ncompared as {}; {} of {} pairs are identical; higher figures are more alike\n",
                 form,
                 report.summary.identical_frames,
                 pairs.size());
  text += table_of_planes(report.summary);
  text += format("\nthe {} that {} most\n",
                 report.summary.worst.size() == 1 ? std::string("pair")
                                                  : format("{} pairs", report.summary.worst.size()),
                 report.summary.worst.size() == 1 ? "differs" : "differ");
  return text + table_of_worst(report);
}

std::string print_json(const QcReport& report) {
  const media::FramePairs& planned = report.paired.pairs;
  Json json;
  json["schema"] = 1;
  json["a"] = film_json(report.films.a);
  json["b"] = film_json(report.films.b);
  json["compared_as"] = to_string(format_of(report));
  json["paired_by"] = report.paired.pairing.by == media::PairedBy::kNumber ? "number" : "time";
  json["paired_why"] = report.paired.pairing.why;
  json["offset"] = report.paired.offset;
  json["offset_told"] = report.paired.told;
  json["offset_how"] = report.paired.how;
  json["pairs"] = report.compared.pairs.size();
  json["pairs_planned"] = planned.size();
  json["a_without_partner"] = planned.alone_of_a();
  json["b_without_partner"] = planned.alone_of_b();
  json["shift_changes"] = Json::array();
  for (const media::ShiftChange& change : report.compared.shifts) {
    const media::FramePair frames =
        report.compared.pairs[static_cast<std::size_t>(change.pair)].frames;
    json["shift_changes"].push_back(
        {{"a", frames.a}, {"b", frames.b}, {"fits_b", frames.b + change.shift}});
  }
  json["identical"] = report.summary.identical;
  json["identical_frames"] = report.summary.identical_frames;
  json["planes"] = Json::object();
  for (const PlaneSummary& plane : report.summary.planes) {
    json["planes"][plane.name] = {{"psnr_of_mean_mse", finite(plane.psnr)},
                                  {"psnr_of_frames", spread_json(plane.psnr_of_frame)},
                                  {"ssim", plane.ssim ? spread_json(*plane.ssim) : Json()}};
  }
  json["worst"] = Json::array();
  for (const std::size_t index : report.summary.worst) {
    json["worst"].push_back(pair_json(report, report.compared.pairs[index]));
  }
  json["fail_below"] = json_or_null(report.bound_db);
  json["passed"] = json_or_null(report.passed());
  json["warnings"] = report.films.warnings;
  json["stopped"] = report.compared.stopped;
  json["failure"] = report.compared.failure.empty() ? Json() : Json(report.compared.failure);
  // A name need not be UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string print_csv(const QcReport& report) {
  const PictureFormat& format = format_of(report);
  std::vector<std::string> names = plane_names(format);
  for (std::string& name : names) name[0] = static_cast<char>(name[0] - 'A' + 'a');
  names.emplace_back("all");
  std::string text = "a,a_s,b,b_s";
  for (const char* figure : {"mse", "psnr", "ssim"}) {
    for (const std::string& name : names) text += vsr::format(",{}_{}", figure, name);
  }
  text += '\n';
  for (const PairQuality& pair : report.compared.pairs) {
    text += vsr::format("{},{:.6f},{},{:.6f}",
                        pair.frames.a,
                        seconds_at(report.films.a, pair.frames.a),
                        pair.frames.b,
                        seconds_at(report.films.b, pair.frames.b));
    const auto squares = mean_squares(pair.quality, format);
    for (const double square : squares) text += vsr::format(",{:.6f}", square);
    for (const double square : squares) {
      text += vsr::format(",{:.4f}", psnr_of(square, format.bit_depth));
    }
    for (const auto& ssim : ssims(pair.quality, format)) {
      text += ssim ? vsr::format(",{:.6f}", *ssim) : ",";
    }
    text += '\n';
  }
  return text;
}

}  // namespace vsr::launcher
