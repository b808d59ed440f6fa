#include "vsr/status/metrics.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/printable.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::status {

namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : printable(value)) {
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text;
}

std::string number(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (std::isnan(value)) return "NaN";
  return format("{}", value);
}

std::string number(std::int64_t value) { return format("{}", value); }

// The samples of one metric, below its help and type; a metric without samples is left out.
class Family {
 public:
  Family(std::string& text, std::string_view name, std::string_view type, std::string_view help)
      : text_(text), name_(format("vsr_dist_{}", name)) {
    head_ = format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
  }

  template <typename Number>
  Family& sample(Number value, const Labels& labels = {}) {
    text_ += std::exchange(head_, {});
    text_ += name_;
    std::string_view before = "{";
    for (const auto& [label, content] : labels) {
      text_ += format("{}{}=\"{}\"", before, label, escaped(content));
      before = ",";
    }
    if (!labels.empty()) text_ += '}';
    text_ += format(" {}\n", number(value));
    return *this;
  }

  // Only where it is known.
  Family& known(double value, const Labels& labels = {}) {
    return value < 0 ? *this : sample(value, labels);
  }

 private:
  std::string& text_;
  std::string name_;
  std::string head_;
};

Labels of(const RankStatus& rank) {
  return {{"rank", format("{}", rank.rank)}, {"host", rank.host}};
}

Labels of(const RankStatus& rank, std::string_view label, const std::string& content) {
  Labels labels = of(rank);
  labels.emplace_back(label, content);
  return labels;
}

void add_ranks(std::string& text, const std::vector<RankStatus>& ranks) {
  // One metric after the other, each with all ranks: samples of a metric stand together.
  const auto gauge = [&](std::string_view name, std::string_view help, const auto& add) {
    Family family(text, name, "gauge", help);
    for (const RankStatus& rank : ranks) add(family, rank);
  };
  gauge("rank_up", "Whether the rank works or waits, and is heard of.", [](auto& f, const auto& r) {
    f.sample(std::int64_t{r.state != "silent" && r.state != "left"}, of(r));
  });
  gauge("rank_silent_seconds", "Time since the rank was heard of.", [](auto& f, const auto& r) {
    f.known(r.silent_s, of(r));
  });
  gauge("rank_upscale_frames_per_second",
        "Frames that the rank has upscaled of late.",
        [](auto& f, const auto& r) { f.known(r.fps, of(r)); });
  gauge("rank_cpus", "Processors that are the rank's.", [](auto& f, const auto& r) {
    f.known(r.cpus, of(r));
  });
  gauge("rank_cpus_busy", "Processors that the rank keeps busy.", [](auto& f, const auto& r) {
    f.known(r.cpu_load, of(r));
  });
  gauge("gpu_memory_bytes", "Memory of the rank's GPU.", [](auto& f, const auto& r) {
    if (r.gpu) f.known(r.gpu->memory, of(r, "gpu", r.gpu->name));
  });
  gauge("gpu_memory_used_bytes",
        "Memory of the rank's GPU that is in use, by whomever.",
        [](auto& f, const auto& r) {
          if (r.gpu) f.known(r.gpu->memory_used, of(r, "gpu", r.gpu->name));
        });
  gauge("gpu_load_ratio", "Part of the time in which the GPU works.", [](auto& f, const auto& r) {
    if (r.gpu) f.known(r.gpu->load, of(r, "gpu", r.gpu->name));
  });
  gauge("queue_pictures", "Pictures that wait between two stages.", [](auto& f, const auto& r) {
    for (const auto& queue : r.queues) f.known(queue.used, of(r, "queue", queue.name));
  });
  gauge("queue_capacity_pictures", "Pictures that may wait there.", [](auto& f, const auto& r) {
    for (const auto& queue : r.queues) f.known(queue.size, of(r, "queue", queue.name));
  });
}

}  // namespace

std::string Metrics::text(const RunStatus& status) {
  frames_upscaled_ = std::max(frames_upscaled_, status.frames_upscaled);
  frames_encoded_ = std::max(frames_encoded_, status.frames_encoded);
  frames_measured_ = std::max(frames_measured_, status.frames_measured);
  bytes_written_ = std::max(bytes_written_, status.bytes_written);

  std::string text;
  const auto gauge = [&](std::string_view name, std::string_view help) {
    return Family(text, name, "gauge", help);
  };
  const auto counter = [&](std::string_view name, std::string_view help) {
    return Family(text, name, "counter", help);
  };

  gauge("info", "What runs.")
      .sample(std::int64_t{1},
              {{"version", status.program_version},
               {"film", status.film},
               {"host", status.host},
               {"job", status.job_name}});
  Family state = gauge("state", "1 for the state that the run is in.");
  for (const char* each :
       {"planning", "working", "paused", "joining", "done", "failed", "interrupted"}) {
    state.sample(std::int64_t{status.state == each}, {{"state", each}});
  }
  gauge("elapsed_seconds", "Time since this start.").known(status.elapsed_s);
  gauge("eta_seconds", "Time that is left, estimated.").known(status.left_s);

  gauge("film_frames", "Frames that the film has.").sample(status.frames_total);
  counter("frames_upscaled_total", "Frames upscaled, those of earlier starts too.")
      .sample(frames_upscaled_);
  counter("frames_encoded_total", "Frames encoded for the film, those of earlier starts too.")
      .sample(frames_encoded_);
  gauge("upscale_frames_per_second", "Frames upscaled of late, by all ranks.")
      .known(status.upscale_fps);
  gauge("encode_frames_per_second", "Frames encoded of late, by all ranks.")
      .known(status.encode_fps);

  std::map<std::string, std::int64_t> states{
      {"waiting", 0}, {"upscaling", 0}, {"upscaled", 0}, {"encoding", 0}, {"done", 0}};
  for (const SegmentStatus& segment : status.segments) ++states[segment.state];
  Family segments = gauge("segments", "Segments by how far they are.");
  for (const auto& [name, count] : states) segments.sample(count, {{"state", name}});

  counter("written_bytes_total", "Bytes of segments and chunks written.").sample(bytes_written_);
  gauge("free_bytes", "Room on the run directory's disk.").known(status.bytes_free);

  counter("frames_measured_total", "Frames whose back-projection was measured.")
      .sample(frames_measured_);
  gauge("back_projection_decibels", "Mean PSNR of the film shrunk against its source.")
      .known(status.quality_db);
  gauge("back_projection_worst_decibels", "The same, of the worst frame.").known(status.worst_db);

  std::map<std::string, std::int64_t> levels{{"warning", 0}, {"error", 0}};
  for (const Notice& notice : status.notices) ++levels[notice.level];
  Family notices = gauge("notices", "Warnings and errors among the last hundred.");
  for (const auto& [level, count] : levels) notices.sample(count, {{"level", level}});

  add_ranks(text, status.ranks);
  return text;
}

}  // namespace vsr::status
