#include "vsr/status/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <sstream>
#include <string>

namespace vsr::status {
namespace {

using testing::HasSubstr;
using testing::Not;

RunStatus a_run() {
  RunStatus run;
  run.state = "working";
  run.film = "a \"film\"\\\n.mkv";
  run.frames_total = 150'000;
  run.frames_upscaled = 75'000;
  run.upscale_fps = 61.5;
  run.bytes_written = 123'456'789'012;
  run.segments.push_back({.index = 0, .state = "done"});
  run.segments.push_back({.index = 1, .state = "waiting"});
  run.segments.push_back({.index = 2, .state = "waiting"});
  run.ranks.push_back({.rank = 0, .host = "a", .state = "working"});
  run.ranks.back().queues.push_back({"decoded", 4, 16});
  run.ranks.back().gpu = GpuStatus{"NVIDIA H100", 2e10, 8e10, 0.5};
  run.ranks.push_back({.rank = 1, .host = "b", .state = "silent", .silent_s = 75});
  return run;
}

TEST(RunMetrics, TellWhatIsKnown) {
  const std::string text = Metrics().text(a_run());
  for (const char* line :
       {"# TYPE vsr_dist_frames_upscaled_total counter\n",
        "\nvsr_dist_frames_upscaled_total 75000\n",
        "\nvsr_dist_film_frames 150000\n",
        "\nvsr_dist_upscale_frames_per_second 61.5\n",
        "\nvsr_dist_written_bytes_total 123456789012\n",
        "\nvsr_dist_state{state=\"working\"} 1\n",
        "\nvsr_dist_state{state=\"done\"} 0\n",
        "\nvsr_dist_segments{state=\"waiting\"} 2\n",
        "\nvsr_dist_segments{state=\"upscaling\"} 0\n",
        "\nvsr_dist_rank_up{rank=\"0\",host=\"a\"} 1\n",
        "\nvsr_dist_rank_up{rank=\"1\",host=\"b\"} 0\n",
        "\nvsr_dist_rank_silent_seconds{rank=\"1\",host=\"b\"} 75\n",
        "\nvsr_dist_queue_pictures{rank=\"0\",host=\"a\",queue=\"decoded\"} 4\n",
        "\nvsr_dist_gpu_load_ratio{rank=\"0\",host=\"a\",gpu=\"NVIDIA H100\"} 0.5\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(RunMetrics, LeaveOutWhatIsNotKnown) {
  const std::string text = Metrics().text(a_run());
  for (const char* name :
       {"eta_seconds", "encode_frames_per_second", "free_bytes", "back_projection"}) {
    EXPECT_THAT(text, Not(HasSubstr(name)));
  }
}

TEST(RunMetrics, EscapeNames) {
  RunStatus run = a_run();
  run.host = "caf\xe9";
  const std::string text = Metrics().text(run);
  EXPECT_THAT(text, HasSubstr(R"(film="a \"film\"\\\\n.mkv")"));
  EXPECT_THAT(text, HasSubstr(R"(host="caf\\xe9")"));
}

TEST(RunMetrics, InfinityIsWrittenAsPrometheusReadsIt) {
  RunStatus run = a_run();
  run.quality_db = std::numeric_limits<double>::infinity();
  EXPECT_THAT(Metrics().text(run), HasSubstr("vsr_dist_back_projection_decibels +Inf\n"));
}

TEST(RunMetrics, CountersDoNotFall) {
  Metrics metrics;
  RunStatus run = a_run();
  metrics.text(run);
  run.frames_upscaled = 74'900;  // a segment failed amid its frames
  EXPECT_THAT(metrics.text(run), HasSubstr("\nvsr_dist_frames_upscaled_total 75000\n"));
  run.frames_upscaled = 75'001;
  EXPECT_THAT(metrics.text(run), HasSubstr("\nvsr_dist_frames_upscaled_total 75001\n"));
}

// A metric's lines stand together, under its help and type.
TEST(RunMetrics, AreInGroups) {
  std::istringstream lines(Metrics().text(a_run()));
  std::set<std::string> seen;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# HELP ", 0) == 0) {
      current = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(seen.insert(current).second) << current;
    } else if (line.rfind("# TYPE ", 0) != 0) {
      EXPECT_EQ(line.substr(0, line.find_first_of(" {")), current);
    }
  }
  EXPECT_GT(seen.size(), 15U);
}

}  // namespace
}  // namespace vsr::status
