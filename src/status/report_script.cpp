// What report.js draws.
#include "report_figures.hpp"
#include "vsr/base/format.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vsr::status {

namespace {

using Json = nlohmann::ordered_json;

// Note [Values of frames]
// Three hours are 270,000 frames. Each value is 16 bits of the way from the least to the most of
// its kind, two bytes (little-endian): a step of 0.001 dB over a span of 65 dB. Before them stands
// a bit for each frame, the lowest of a byte first, whether it has one; all in base64.
Json frame_values(const std::vector<float>& values) {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    least = std::min<double>(least, value);
    most = std::max<double>(most, value);
  }
  if (least > most) return nullptr;
  constexpr double kSteps = 65535;
  std::string measured((values.size() + 7) / 8, '\0');
  std::string bytes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    measured[i / 8] = static_cast<char>(measured[i / 8] | 1 << i % 8);
    const long step = most > least ? std::lround(kSteps * (values[i] - least) / (most - least)) : 0;
    bytes += static_cast<char>(step & 0xff);
    bytes += static_cast<char>(step >> 8);
  }
  return {{"least", least}, {"most", most}, {"values", base64(measured + bytes)}};
}

// [segment, begin, end, rank, host, attempt, begun (seconds since 1970), took]
Json pieces(const store::LedgerPieces& records) {
  Json rows = Json::array();
  for (const auto& record : records) {
    if (!record) continue;
    const auto begun = seconds_of(record->started);
    if (!begun) continue;
    rows.push_back({record->segment.index,
                    record->segment.core.begin,
                    record->segment.core.end,
                    record->rank,
                    record->host,
                    record->attempt,
                    *begun,
                    record->wall_s});
  }
  return rows;
}

Json stages(const WorkFigures& work) {
  Json rows = Json::array();
  for (const auto& [stage, seconds] : work.busy_s) {
    rows.push_back({stage, seconds / static_cast<double>(std::max<std::int64_t>(1, work.frames))});
  }
  return rows;
}

Json starts(const store::RunLedger& run) {
  Json rows = Json::array();
  for (const auto& [name, start] : run.starts) {
    const auto begun = seconds_of(start.begun);
    const auto end = seconds_of(start.ended.empty() ? start.seen : start.ended);
    if (!begun || !end) continue;
    rows.push_back({{"begun", *begun},
                    {"end", *end},
                    {"open", start.ended.empty()},
                    {"how", end_in_words(start)}});
  }
  return rows;
}

Json failures(const Figures& figures) {
  Json rows = Json::array();
  for (const Failure& failure : figures.failures) {
    const auto time = seconds_of(failure.time);
    if (!time) continue;
    rows.push_back({{"time", *time},
                    {"chunk", failure.is_chunk},
                    {"segment", failure.segment},
                    {"rank", failure.rank},
                    {"reason", failure.reason}});
  }
  return rows;
}

Json seams(const store::RunLedger& run) {
  Json rows = Json::array();
  for (const store::LedgerSeam& seam : run.seams) {
    rows.push_back({seam.frame,
                    std::isnan(seam.likeness_db) ? Json(nullptr) : Json(seam.likeness_db),
                    seam.may_be_seen});
  }
  return rows;
}

}  // namespace

std::string script_data(const ReportData& data, const Figures& figures) {
  const store::RunLedger& run = data.run;
  Json json;
  json["frames"] = run.plan.timeline_frames;
  json["rate"] = run.plan.timeline_rate.to_double();
  json["low_db"] = figures.low_db;
  json["starts"] = starts(run);
  json["segments"] = pieces(run.segments);
  json["chunks"] = pieces(run.chunks);
  json["failures"] = failures(figures);
  json["stages"] = {{"upscaling", stages(figures.upscaling)},
                    {"encoding", stages(figures.encoding)}};
  json["seams"] = seams(run);
  Json worst = Json::array();
  for (const ReportPicture& shown : data.worst) worst.push_back(shown.preview.frame);
  json["worst"] = worst;
  json["back_projection_db"] =
      frame_values(store::by_frame(run, &FrameMeasures::back_projection_db));
  json["sharpness_gain"] = frame_values(store::by_frame(run, &FrameMeasures::sharpness_gain));
  json["luma_mean"] = frame_values(store::by_frame(run, &FrameMeasures::luma_mean));
  // ASCII alone, so that U+2028 is no line end in it.
  const std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<' || c == '>' || c == '&') {
      safe += format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace vsr::status
