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

// [segment, begin, end, rank, host, attempt, begun (seconds since 1970), took, start (-1: unknown)]
Json pieces(const store::RunLedger& run, const store::LedgerPieces& records) {
  const std::vector<int> makers = makers_of(run, records);
  Json rows = Json::array();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i];
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
                    record->wall_s,
                    makers[i]});
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

Json starts(const store::RunLedger& run, const Figures& figures) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < figures.starts.size(); ++i) {
    const store::StartFile& start = run.starts[i].second;
    const AtWork& at_work = figures.starts[i];
    if (at_work.begin <= 0) continue;
    rows.push_back({{"number", i + 1},
                    {"begun", at_work.begin},
                    {"end", at_work.end},
                    {"open", start.ended.empty()},
                    {"shares", at_work.shares},
                    {"how", end_in_words(start)}});
  }
  return rows;
}

std::string host_of(const store::StartFile& start, int rank) {
  const auto found = std::ranges::find(start.ranks, rank, &store::StartRank::rank);
  return found == start.ranks.end() ? "" : found->host;
}

Json failures(const store::RunLedger& run, const Figures& figures) {
  Json rows = Json::array();
  for (const Failure& failure : figures.failures) {
    const auto time = seconds_of(failure.time);
    if (!time) continue;
    rows.push_back(
        {{"time", *time},
         {"chunk", failure.is_chunk},
         {"segment", failure.segment},
         {"rank", failure.rank},
         {"host",
          host_of(run.starts[static_cast<std::size_t>(failure.start)].second, failure.rank)},
         {"start", failure.start},
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
  json["starts"] = starts(run, figures);
  json["segments"] = pieces(run, run.segments);
  json["chunks"] = pieces(run, run.chunks);
  json["failures"] = failures(run, figures);
  json["stages"] = {{"upscaling", stages(figures.upscaling)},
                    {"encoding", stages(figures.encoding)}};
  json["seams"] = seams(run);
  Json worst = Json::array();
  for (std::size_t i = 0; i < figures.worst_shown; ++i) {
    worst.push_back(data.worst[i].preview.frame);
  }
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
