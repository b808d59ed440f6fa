// How a run is at this instant: what the terminal, the status page, its JSON and the metrics tell.
// Plain values, made by the launcher, read by everybody; docs/status.md tells the JSON.
//
// Rates are frames a second, times seconds, sizes bytes. What is not known is -1 (numbers), empty
// (texts), absent (optionals).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vsr::status {

inline constexpr int kRunStatusVersion = 1;

// A piece of work that a rank has in hand.
struct WorkStatus {
  std::string kind;  // "segment" (is upscaled) or "chunk" (is encoded)
  int segment = 0;
  int attempt = 1;
  std::int64_t frame = 0;   // finished of it
  std::int64_t frames = 0;  // it has
  int window = -1;          // that the network is at, from 0; of a segment
  int windows = -1;

  bool operator==(const WorkStatus&) const = default;
};

// Pictures that wait between two stages.
struct QueueStatus {
  std::string name;  // "decoded", "upscaled"
  int used = 0;
  int size = 0;

  bool operator==(const QueueStatus&) const = default;
};

struct GpuStatus {
  std::string name;
  double memory_used = -1;  // of the whole card, whoever has it
  double memory = -1;
  double load = -1;  // 0..1, the part of the last second or so in which a kernel ran

  bool operator==(const GpuStatus&) const = default;
};

struct RankStatus {
  int rank = 0;
  std::string host;
  std::string state;  // "working", "idle", "silent" (not heard of for long), "left"
  std::vector<WorkStatus> work;
  std::vector<QueueStatus> queues;
  std::optional<GpuStatus> gpu;
  int cpus = 0;          // processors that are this rank's
  double cpu_load = -1;  // of these, kept busy by it; 0..cpus
  double fps = -1;       // upscaled of late
  std::string limit;     // the stage that limits it: "decode", "network", "encode"
  double silent_s = 0;   // since it was heard of

  bool operator==(const RankStatus&) const = default;
};

struct SegmentStatus {
  int index = 0;
  std::int64_t begin = 0;  // core, timeline frames, half-open
  std::int64_t end = 0;
  // "waiting", "upscaling", "upscaled", "encoding", "done"
  std::string state;
  int rank = -1;  // that upscales or has upscaled it
  std::string host;
  int attempt = 0;
  double wall_s = -1;
  double size = -1;        // of the mezzanine
  double quality_db = -1;  // back-projection, mean over its frames
  double worst_db = -1;
  std::int64_t worst_frame = -1;
  bool has_preview = false;

  bool operator==(const SegmentStatus&) const = default;
};

struct Notice {
  std::string time;   // UTC, ISO 8601
  std::string level;  // "warning", "error"
  int rank = 0;
  std::string text;  // "room: what"

  bool operator==(const Notice&) const = default;
};

struct HistoryPoint {
  double elapsed_s = 0;
  double upscale_fps = 0;
  double encode_fps = 0;

  bool operator==(const HistoryPoint&) const = default;
};

struct RunStatus {
  // "planning", "working", "paused" (no room on the disk), "joining" (the films), "done", "failed",
  // "interrupted"
  std::string state;
  std::string message;  // why it is so, if there is something to say
  std::string film;     // the source's file name, without folders
  std::string run_dir;
  std::string program_version;
  std::string host;      // of rank 0
  std::string job_name;  // of this job among those that share the run; empty: the first
  std::string started;   // UTC, ISO 8601
  std::string now;
  double elapsed_s = 0;  // of this start
  int source_width = 0;
  int source_height = 0;
  int width = 0;  // of the film
  int height = 0;
  double fps_of_film = 0;

  int segments_total = 0;
  int segments_upscaled = 0;
  int segments_encoded = 0;
  bool in_chunks = false;  // the film is encoded piece by piece; else segments_encoded stays 0
  std::int64_t frames_total = 0;
  std::int64_t frames_upscaled = 0;  // those of segments in hand too
  std::int64_t frames_encoded = 0;

  double upscale_fps = -1;       // now: of the last ten seconds or so
  double upscale_fps_mean = -1;  // of this start
  double encode_fps = -1;
  double encode_fps_mean = -1;
  double left_s = -1;
  std::string limit;  // "by the encoders (2.1 fps against 61 of upscaling): ..."

  double bytes_written = 0;  // of the pieces
  double bytes_free = -1;    // on the run directory's disk

  std::int64_t frames_measured = 0;
  double quality_db = -1;  // back-projection, mean over the frames measured
  double worst_db = -1;
  std::int64_t worst_frame = -1;
  int latest_preview = -1;  // segment

  std::vector<RankStatus> ranks;
  std::vector<SegmentStatus> segments;
  std::vector<Notice> notices;        // the last hundred
  std::vector<HistoryPoint> history;  // thinned out so that it stays short
  std::vector<std::string> films;     // file names, once they are made
};

// `whole`: with segments and history; without, `segment_states` has a letter for each segment, as
// below. One line.
std::string to_json(const RunStatus& status, bool whole);
std::string to_json(const RankStatus& rank);
std::string to_json(const Notice& notice);

// Read what to_json() wrote (a whole one). Throw Error(kStorage) for anything else.
RunStatus run_status_from_json(const std::string& json);
RankStatus rank_status_from_json(const std::string& json);
Notice notice_from_json(const std::string& json);

// Done, failed or interrupted.
bool is_over(const RunStatus& run);

// w: waiting, u: upscaling, U: upscaled, e: encoding, d: done.
char state_letter(const std::string& segment_state);

}  // namespace vsr::status
