#include "vsr/status/run_status.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <nlohmann/json.hpp>

namespace vsr::status {

namespace {

using Json = nlohmann::ordered_json;

// One list of names serves both ways: `field(name, member)` for each.
struct Put {
  Json& json;

  template <typename T>
  void operator()(const char* name, const T& value) const {
    json[name] = value;
  }
};

struct Get {
  const Json& json;

  template <typename T>
  void operator()(const char* name, T& value) const {
    value = json.at(name).get<T>();
  }
};

template <typename Field, typename Work>
void fields_of_work(const Field& field, Work& work) {
  field("kind", work.kind);
  field("segment", work.segment);
  field("attempt", work.attempt);
  field("frame", work.frame);
  field("frames", work.frames);
  field("window", work.window);
  field("windows", work.windows);
}

template <typename Field, typename Queue>
void fields_of_queue(const Field& field, Queue& queue) {
  field("name", queue.name);
  field("used", queue.used);
  field("size", queue.size);
}

template <typename Field, typename Gpu>
void fields_of_gpu(const Field& field, Gpu& gpu) {
  field("name", gpu.name);
  field("memory_used", gpu.memory_used);
  field("memory", gpu.memory);
  field("load", gpu.load);
}

template <typename Field, typename Rank>
void fields_of_rank(const Field& field, Rank& rank) {
  field("rank", rank.rank);
  field("host", rank.host);
  field("state", rank.state);
  field("work", rank.work);
  field("queues", rank.queues);
  field("cpus", rank.cpus);
  field("cpu_load", rank.cpu_load);
  field("fps", rank.fps);
  field("limit", rank.limit);
  field("silent_s", rank.silent_s);
}

template <typename Field, typename Segment>
void fields_of_segment(const Field& field, Segment& segment) {
  field("index", segment.index);
  field("begin", segment.begin);
  field("end", segment.end);
  field("state", segment.state);
  field("rank", segment.rank);
  field("host", segment.host);
  field("attempt", segment.attempt);
  field("wall_s", segment.wall_s);
  field("size", segment.size);
  field("quality_db", segment.quality_db);
  field("worst_db", segment.worst_db);
  field("worst_frame", segment.worst_frame);
  field("has_preview", segment.has_preview);
}

template <typename Field, typename Line>
void fields_of_notice(const Field& field, Line& notice) {
  field("time", notice.time);
  field("level", notice.level);
  field("rank", notice.rank);
  field("text", notice.text);
}

template <typename Field, typename Point>
void fields_of_point(const Field& field, Point& point) {
  field("elapsed_s", point.elapsed_s);
  field("upscale_fps", point.upscale_fps);
  field("encode_fps", point.encode_fps);
}

// All but segments and history.
template <typename Field, typename Run>
void fields_of_run(const Field& field, Run& run) {
  field("state", run.state);
  field("message", run.message);
  field("film", run.film);
  field("run_dir", run.run_dir);
  field("program_version", run.program_version);
  field("host", run.host);
  field("job_name", run.job_name);
  field("started", run.started);
  field("now", run.now);
  field("elapsed_s", run.elapsed_s);
  field("source_width", run.source_width);
  field("source_height", run.source_height);
  field("width", run.width);
  field("height", run.height);
  field("fps_of_film", run.fps_of_film);
  field("segments_total", run.segments_total);
  field("segments_upscaled", run.segments_upscaled);
  field("segments_encoded", run.segments_encoded);
  field("in_chunks", run.in_chunks);
  field("frames_total", run.frames_total);
  field("frames_upscaled", run.frames_upscaled);
  field("frames_encoded", run.frames_encoded);
  field("upscale_fps", run.upscale_fps);
  field("upscale_fps_mean", run.upscale_fps_mean);
  field("encode_fps", run.encode_fps);
  field("encode_fps_mean", run.encode_fps_mean);
  field("left_s", run.left_s);
  field("limit", run.limit);
  field("bytes_written", run.bytes_written);
  field("bytes_free", run.bytes_free);
  field("frames_measured", run.frames_measured);
  field("quality_db", run.quality_db);
  field("worst_db", run.worst_db);
  field("worst_frame", run.worst_frame);
  field("latest_preview", run.latest_preview);
  field("ranks", run.ranks);
  field("notices", run.notices);
  field("films", run.films);
}

template <typename Read>
auto parsed(const std::string& json, const char* what, const Read& read) {
  try {
    return read(Json::parse(json));
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kStorage, format("not a status, of a {}: {}", what, error.what()));
  }
}

}  // namespace

#define VSR_JSON(TYPE, FIELDS)                                                                \
  void to_json(nlohmann::ordered_json& json, const TYPE& value) { FIELDS(Put{json}, value); } \
  void from_json(const nlohmann::ordered_json& json, TYPE& value) { FIELDS(Get{json}, value); }

// What nlohmann::json looks for beside the types.
VSR_JSON(WorkStatus, fields_of_work)
VSR_JSON(QueueStatus, fields_of_queue)
VSR_JSON(GpuStatus, fields_of_gpu)
VSR_JSON(SegmentStatus, fields_of_segment)
VSR_JSON(Notice, fields_of_notice)
VSR_JSON(HistoryPoint, fields_of_point)

void to_json(nlohmann::ordered_json& json, const RankStatus& rank) {
  fields_of_rank(Put{json}, rank);
  json["gpu"] = nullptr;
  if (rank.gpu) json["gpu"] = *rank.gpu;
}

void from_json(const nlohmann::ordered_json& json, RankStatus& rank) {
  fields_of_rank(Get{json}, rank);
  if (!json.at("gpu").is_null()) rank.gpu = json.at("gpu").get<GpuStatus>();
}

std::string to_json(const RunStatus& status, bool whole) {
  Json json;
  json["version"] = kRunStatusVersion;
  fields_of_run(Put{json}, status);
  std::string states;
  for (const SegmentStatus& segment : status.segments) states += state_letter(segment.state);
  json["segment_states"] = states;
  if (whole) {
    json["segments"] = status.segments;
    json["history"] = status.history;
  }
  // File names need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const RankStatus& rank) {
  return Json(rank).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const Notice& notice) {
  return Json(notice).dump(-1, ' ', false, Json::error_handler_t::replace);
}

RunStatus run_status_from_json(const std::string& json) {
  return parsed(json, "run", [](const Json& read) {
    if (read.at("version") != kRunStatusVersion) {
      throw Error(ErrorCode::kStorage,
                  format("a status of version {}, this program knows {}",
                         read.at("version").dump(),
                         kRunStatusVersion));
    }
    RunStatus status;
    fields_of_run(Get{read}, status);
    read.at("segments").get_to(status.segments);
    read.at("history").get_to(status.history);
    return status;
  });
}

RankStatus rank_status_from_json(const std::string& json) {
  return parsed(json, "rank", [](const Json& read) { return read.get<RankStatus>(); });
}

Notice notice_from_json(const std::string& json) {
  return parsed(json, "notice", [](const Json& read) { return read.get<Notice>(); });
}

bool is_over(const RunStatus& run) {
  return run.state == "done" || run.state == "failed" || run.state == "interrupted";
}

char state_letter(const std::string& segment_state) {
  if (segment_state == "upscaling") return 'u';
  if (segment_state == "upscaled") return 'U';
  if (segment_state == "encoding") return 'e';
  if (segment_state == "done") return 'd';
  return 'w';
}

}  // namespace vsr::status
