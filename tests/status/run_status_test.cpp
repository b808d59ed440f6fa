#include "vsr/status/run_status.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vsr::status {
namespace {

RankStatus a_rank() {
  RankStatus rank;
  rank.rank = 3;
  rank.host = "pod-b";
  rank.state = "working";
  rank.work.push_back({"segment", 7, 2, 120, 504, 3, 12});
  rank.queues.push_back({"decoded", 4, 16});
  rank.gpu = GpuStatus{"NVIDIA H200", 2e10, 1.4e11, 0.97};
  rank.cpus = 16;
  rank.limit = "network";
  return rank;
}

TEST(RankStatusJson, IsReadAsItWasWritten) {
  RankStatus rank = a_rank();
  EXPECT_EQ(rank_status_from_json(to_json(rank)), rank);
  rank.gpu.reset();
  EXPECT_EQ(rank_status_from_json(to_json(rank)), rank);
}

TEST(RunStatusJson, IsReadAsItWasWritten) {
  RunStatus run;
  run.state = "working";
  run.film = "a \"film\"\n.mkv";
  run.frames_total = 150'000;
  run.left_s = 12.5;
  run.ranks = {a_rank()};
  run.segments.push_back({.index = 0, .begin = 0, .end = 480, .state = "upscaled"});
  run.segments.push_back({.index = 1, .begin = 480, .end = 960, .state = "waiting"});
  run.notices.push_back({"2026-01-02T03:04:05Z", "warning", 3, "cluster: rank 3 is slow"});
  run.history.push_back({10, 61, 2});
  const std::string json = to_json(run, true);
  const RunStatus again = run_status_from_json(json);
  EXPECT_EQ(to_json(again, true), json);
  EXPECT_EQ(again.film, run.film);
  EXPECT_EQ(again.ranks, run.ranks);
  EXPECT_EQ(again.segments, run.segments);
  EXPECT_NE(json.find("\"segment_states\":\"Uw\""), std::string::npos) << json;
}

TEST(RunStatusJson, WhatIsNoneIsRefused) {
  for (const char* text : {"", "{", "[]", "{}", "{\"version\":99}"}) {
    EXPECT_THROW(run_status_from_json(text), Error) << text;
  }
}

// A name of a file may be any bytes, JSON is UTF-8.
TEST(RunStatusJson, NamesThatAreNoUtf8AreMadeSo) {
  RunStatus run;
  run.film = "caf\xe9.mkv";
  EXPECT_EQ(run_status_from_json(to_json(run, true)).film, "caf\xef\xbf\xbd.mkv");
}

}  // namespace
}  // namespace vsr::status
