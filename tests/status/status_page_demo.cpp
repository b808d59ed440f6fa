// A status server with a run that is made up and moves: to look at the page, and for
// tests/system/page_test.py. Not a test by itself.
//
//   status_page_demo [--listen=ADDRESS:PORT] [--token=T] [--pictures=FOLDER] [--segments=N]
//   [--ranks=N]
//
// Pictures are FOLDER/<kind>.jpg, for all segments. Prints "status page: URL", then takes lines:
//   progress X    as far as X of 1; it moves on by itself until told so
//   state S       "failed", "done", ...; message M; film F; notice TEXT
//   fail on|off   whether the status cannot be had
// Ends when its input ends.
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/number.hpp"
#include "vsr/status/server.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace vsr;
using namespace vsr::status;
using Clock = std::chrono::steady_clock;

constexpr int kFrames = 480;  // of a segment

class FakeRun {
 public:
  FakeRun(int segments, int ranks) : segments_(segments), ranks_(ranks) {}

  void tell(const std::string& what, const std::string& value) {
    const std::scoped_lock lock(mutex_);
    told_[what] = value;
    if (what == "notice") notices_.push_back({utc_now(), "warning", 1, value});
  }

  RunStatus status() const {
    const std::scoped_lock lock(mutex_);
    if (value("fail", "off") == "on") throw std::runtime_error("as told");
    const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
    const auto given = parse_number<double>(value("progress", "-"));
    const double progress = given.value_or(std::min(1.0, elapsed / 300));

    RunStatus run;
    run.state = value("state", progress < 1 ? "working" : "done");
    run.message = value("message", "");
    run.film = value("film", "film.mkv");
    run.run_dir = "/data/runs/film";
    run.program_version = "0.6.0";
    run.host = "pod-0";
    run.started = "2026-01-31T12:34:56Z";
    run.now = utc_now();
    run.elapsed_s = 3600 * progress + elapsed;
    run.source_width = 1024;
    run.source_height = 432;
    run.width = 3414;
    run.height = 1440;
    run.fps_of_film = 24;
    run.segments_total = segments_;
    run.in_chunks = true;
    run.frames_total = std::int64_t{segments_} * kFrames;
    const double upscaled = std::min(1.0, progress * 1.3);
    run.frames_upscaled =
        static_cast<std::int64_t>(upscaled * static_cast<double>(run.frames_total));
    run.frames_encoded =
        static_cast<std::int64_t>(progress * static_cast<double>(run.frames_total));
    run.upscale_fps = upscaled < 1 ? 61 + 4 * std::sin(elapsed) : 0;
    run.upscale_fps_mean = 58.2;
    run.encode_fps = 7.25 + std::cos(elapsed);
    run.encode_fps_mean = 7.1;
    run.left_s = progress < 1 ? 6500 * (1 - progress) : -1;
    run.limit =
        "by the encoders (7.2 fps against 61 of upscaling): more processors, or final.preset = "
        "medium";
    run.bytes_written = 8e7 * segments_ * upscaled;
    run.bytes_free = 4.2e11;
    add_segments(run, upscaled, progress);
    add_ranks(run, elapsed);
    run.notices = notices_;
    for (int i = 0; i < 200; ++i) {
      const double at = run.elapsed_s * i / 200;
      run.history.push_back({at, 60 + 3 * std::sin(at / 60), 7 + std::cos(at / 100)});
    }
    if (run.state == "done") run.films = {"film_pitchOK.mkv", "film_pitchLOW.mkv"};
    return run;
  }

 private:
  std::string value(const std::string& what, const std::string& otherwise) const {
    const auto found = told_.find(what);
    return found == told_.end() ? otherwise : found->second;
  }

  void add_segments(RunStatus& run, double upscaled, double encoded) const {
    double sum = 0;
    run.worst_db = 100;
    for (int i = 0; i < segments_; ++i) {
      SegmentStatus segment;
      segment.index = i;
      segment.begin = std::int64_t{i} * kFrames;
      segment.end = segment.begin + kFrames;
      // Encoders work on this many at once.
      if (i + 1 <= encoded * segments_) {
        segment.state = "done";
      } else if (i + 1 <= upscaled * segments_) {
        segment.state = i < encoded * segments_ + ranks_ ? "encoding" : "upscaled";
      } else {
        segment.state = i < upscaled * segments_ + ranks_ && upscaled < 1 ? "upscaling" : "waiting";
      }
      if (segment.state != "waiting") {
        segment.rank = i % ranks_;
        segment.host = format("pod-{}", segment.rank / 2);
        segment.attempt = 1;
      }
      if (segment.state != "waiting" && segment.state != "upscaling") {
        segment.wall_s = 7.5;
        segment.size = 8.1e7;
        segment.quality_db = 38 + 3 * std::sin(i);
        segment.worst_db = segment.quality_db - 6;
        segment.worst_frame = segment.begin + 17;
        segment.has_preview = true;
        run.latest_preview = i;
        ++run.segments_upscaled;
        sum += segment.quality_db;
        if (segment.worst_db < run.worst_db) {
          run.worst_db = segment.worst_db;
          run.worst_frame = segment.worst_frame;
        }
      }
      if (segment.state == "done") ++run.segments_encoded;
      run.segments.push_back(segment);
    }
    run.frames_measured = std::int64_t{run.segments_upscaled} * kFrames;
    run.quality_db = run.segments_upscaled > 0 ? sum / run.segments_upscaled : -1;
    if (run.segments_upscaled == 0) run.worst_db = -1;
  }

  void add_ranks(RunStatus& run, double elapsed) const {
    for (int i = 0; i < ranks_; ++i) {
      RankStatus rank;
      rank.rank = i;
      rank.host = format("pod-{}", i / 2);
      rank.state = "working";
      if (run.state == "done") {
        rank.state = "left";
      } else if (i == ranks_ - 1 && i > 1) {
        rank.state = "silent";
        rank.silent_s = 75 + elapsed;
      } else {
        const int frame = static_cast<int>(elapsed * 61 + i * 100) % kFrames;
        rank.work.push_back({"segment", i, 1, frame, kFrames, frame / 40, 12});
        rank.work.push_back({"chunk", i + 40, 2, frame / 3, kFrames});
        rank.queues = {{"decoded", 14, 16}, {"upscaled", frame % 9, 8 + 1}};
        rank.gpu = GpuStatus{"NVIDIA H100 80GB HBM3", 4.1e10, 8.5e10, 0.97};
        rank.cpus = 16;
        rank.cpu_load = 14.2;
        rank.fps = run.upscale_fps / ranks_;
        rank.limit = "network";
      }
      run.ranks.push_back(rank);
    }
  }

  int segments_;
  int ranks_;
  Clock::time_point begin_ = Clock::now();
  mutable std::mutex mutex_;
  std::map<std::string, std::string> told_;
  std::vector<Notice> notices_;
};

int serve(int argc, char** argv) {
  std::map<std::string, std::string> options{{"listen", "127.0.0.1:0"},
                                             {"token", ""},
                                             {"pictures", ""},
                                             {"segments", "120"},
                                             {"ranks", "4"}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    if (argument.rfind("--", 0) != 0 || equals == std::string::npos ||
        options.count(argument.substr(2, equals - 2)) == 0) {
      throw std::runtime_error("no such option: " + argument);
    }
    options[argument.substr(2, equals - 2)] = argument.substr(equals + 1);
  }
  FakeRun run(std::stoi(options["segments"]), std::stoi(options["ranks"]));
  const std::filesystem::path pictures = options["pictures"];
  Content content;
  content.snapshot = [&] { return run.status(); };
  content.preview = [&](int segment, const std::string& kind) -> std::optional<std::string> {
    const RunStatus status = run.status();
    const int index = segment < 0 ? status.latest_preview : segment;
    if (pictures.empty() || index < 0 || index >= status.segments_total) return std::nullopt;
    if (!status.segments[static_cast<std::size_t>(index)].has_preview) return std::nullopt;
    std::ifstream file(pictures / (kind + ".jpg"), std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const Server server({options["listen"], options["token"]}, content);
  std::cout << "status page: " << server.url() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t blank = line.find(' ');
    run.tell(line.substr(0, blank), blank == std::string::npos ? "" : line.substr(blank + 1));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return serve(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "status_page_demo: " << error.what() << '\n';
    return 1;
  }
}
