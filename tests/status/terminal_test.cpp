#include "vsr/status/terminal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace vsr::status {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

RankStatus a_rank(int number) {
  RankStatus rank;
  rank.rank = number;
  rank.host = "pod-b";
  rank.state = "working";
  rank.work.push_back({"segment", 7, 1, 120, 504, 1, 5});
  rank.work.push_back({"chunk", 3, 1, 20, 480});
  rank.queues = {{"decoded", 4, 16}, {"upscaled", 2, 40}};
  rank.gpu = GpuStatus{"NVIDIA H200", 2e10, 1.4e11, 0.97};
  rank.cpus = 16;
  rank.cpu_load = 7.24;
  rank.fps = 61.4;
  rank.limit = "network";
  return rank;
}

RunStatus a_run(int ranks = 1) {
  RunStatus run;
  run.state = "working";
  run.film = "film.mkv";
  run.in_chunks = true;
  run.segments_total = 120;
  run.segments_upscaled = 32;
  run.segments_encoded = 11;
  run.frames_total = 57'600;
  run.frames_upscaled = 15'600;
  run.frames_encoded = 5'280;
  run.upscale_fps = 61.2;
  run.upscale_fps_mean = 58.4;
  run.encode_fps = 2.13;
  run.encode_fps_mean = 2.06;
  run.left_s = 6 * 3600 + 55 * 60;
  run.limit = "by the encoders (2.1 fps against 61 of upscaling): twice the cores would halve it";
  run.bytes_written = 3.2e10;
  run.bytes_free = 1.25e12;
  run.frames_measured = 15'360;
  run.quality_db = 38.24;
  run.worst_db = 31.02;
  run.worst_frame = 4711;
  for (int rank = 0; rank < ranks; ++rank) run.ranks.push_back(a_rank(rank));
  return run;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(TerminalLines, TellTheWholeRunAndEveryRank) {
  const auto lines = terminal_lines(a_run(2), {.width = 240});
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_EQ(lines[0],
            "film.mkv working #####===========............................................ 18.1%  "
            "6 h 55 min left");
  EXPECT_EQ(
      lines[1],
      " upscaled 15600 of 57600 frames, 61 fps (mean 58)  encoded 5280, 2.1 fps (mean 2.1)  "
      "32 of 120 segments, 11 chunks  limited by the encoders (2.1 fps against 61 of upscaling): "
      "twice the cores would halve it");
  EXPECT_EQ(lines[2],
            " back-projection 38.2 dB, lowest 31.0 at frame 4711  32.0 GB written, 1.25 TB free");
  EXPECT_EQ(
      lines[4],
      " 1 pod-b  segment 7 120/504 window 2/5, chunk 3 20/480  61 fps  GPU 97% 20/140 GB  CPU "
      "7.2/16  limit: network  decoded 4/16 upscaled 2/40");
}

TEST(TerminalLines, NoneIsWiderThanTheTerminal) {
  RunStatus run = a_run(3);
  run.film = "映画の名前が長い長い長い.mkv";
  run.ranks[1].host = "ホスト名が長い長い長い長い";
  run.message = std::string(300, 'm');
  for (const bool utf8 : {false, true}) {
    for (const int width : {20, 31, 40, 80, 200}) {
      for (const std::string& line : terminal_lines(run, {.width = width, .utf8 = utf8})) {
        EXPECT_LE(columns_of(line), width) << line;
      }
    }
  }
}

TEST(TerminalLines, OnANarrowTerminalTheFirstThingsStand) {
  const auto lines = terminal_lines(a_run(), {.width = 40, .utf8 = true});
  EXPECT_THAT(lines[0], HasSubstr("18.1%"));
  EXPECT_THAT(joined(lines), HasSubstr("15600 of 57600 frames, 61 fps"));
  EXPECT_THAT(lines.back(), HasSubstr(" 0 pod-b  segment 7 "));
}

TEST(TerminalLines, OfManyRanksThoseThatNeedLookingAtComeFirst) {
  RunStatus run = a_run(64);
  run.ranks[40].state = "silent";
  run.ranks[40].silent_s = 75;
  run.ranks[50].state = "left";
  run.ranks[60].work[0].attempt = 2;
  run.ranks[3].state = "idle";
  const auto lines = terminal_lines(run, {.width = 80, .height = 12});
  ASSERT_THAT(lines, SizeIs(11));
  const std::string text = joined(lines);
  EXPECT_LT(text.find("40 pod-b  silent for 75 s"), text.find("50 pod-b  left"));
  EXPECT_LT(text.find("50 pod-b"), text.find("60 pod-b  segment 7 (attempt 2)"));
  EXPECT_LT(text.find("60 pod-b"), text.find(" 0 pod-b"));
  EXPECT_THAT(lines.back(), HasSubstr("more: 1 idle, 5"));
}

TEST(TerminalLines, ATerminalOfFewRowsIsNotOverrun) {
  for (const int height : {1, 2, 3, 4, 5, 6}) {
    const auto lines = terminal_lines(a_run(64), {.width = 80, .height = height});
    EXPECT_LE(static_cast<int>(lines.size()), std::max(2, height - 1)) << height;
  }
}

TEST(TerminalLines, NamesCannotSteerTheTerminal) {
  RunStatus run = a_run();
  run.film = "a\x1b[2Jb.mkv";
  run.message = "no\nway\r\x07";
  run.limit = "\x1b]0;title\x07";
  run.ranks[0].host =
      "pod\x9b"
      "1m";
  run.ranks[0].limit = "\x1b[A";
  const std::string text = joined(terminal_lines(run, {.width = 200}));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\x07")));
  EXPECT_THAT(text, HasSubstr("no\\nway\\r\\x07"));
  EXPECT_THAT(text, HasSubstr("pod\\x9b1m"));
}

TEST(TerminalLines, ColourTakesNoColumns) {
  const auto plain = terminal_lines(a_run(2), {.width = 80});
  auto coloured = terminal_lines(a_run(2), {.width = 80, .colour = true});
  EXPECT_THAT(coloured[0], HasSubstr("\x1b[1mfilm.mkv\x1b[0m"));
  for (std::string& line : coloured) {
    for (std::size_t at = 0; (at = line.find('\x1b')) != std::string::npos;) {
      line.erase(at, line.find('m', at) - at + 1);
    }
  }
  EXPECT_EQ(coloured, plain);
}

TEST(TerminalLines, AHundredPercentIsOfWhatIsOver) {
  RunStatus run = a_run();
  run.frames_upscaled = run.frames_encoded = run.frames_total - 1;
  EXPECT_THAT(terminal_lines(run, {})[0], HasSubstr("99.9%"));
  run.state = "done";
  run.elapsed_s = 3700;
  EXPECT_THAT(terminal_lines(run, {})[0], AllOf(HasSubstr("100.0%"), HasSubstr("in 62 min")));
}

TEST(TerminalLines, AnEncodeInOnePieceIsCountedByItself) {
  RunStatus run = a_run();
  run.state = "joining";
  run.in_chunks = false;
  run.frames_upscaled = run.frames_total;
  run.frames_encoded = run.frames_total / 4;
  const auto lines = terminal_lines(run, {.width = 100});
  EXPECT_THAT(lines[0], AllOf(HasSubstr("25.0%"), HasSubstr("#=="), Not(HasSubstr("..."))));
  EXPECT_THAT(progress_line(run), HasSubstr("encoded 14400, 2.1 fps"));
}

TEST(TerminalLines, BeforeAnythingIsKnown) {
  RunStatus run;
  run.state = "planning";
  run.film = "film.mkv";
  EXPECT_THAT(terminal_lines(run, {}), Each(Not(HasSubstr("-1"))));
  EXPECT_THAT(progress_line(run), Not(HasSubstr("-1")));
}

TEST(TerminalLines, WhereNoTimeLeftIsKnownItIsSaidWhenItWillBe) {
  RunStatus run = a_run(0);
  run.left_s = -1;
  run.limit = "";
  run.segments_encoded = 0;
  const auto said = [&](const char* what) {
    EXPECT_THAT(joined(terminal_lines(run, {.width = 100})), HasSubstr(what));
    EXPECT_THAT(progress_line(run), HasSubstr(what));
  };
  said("time left: known soon");
  run.message = "nobody upscales what is missing";
  EXPECT_THAT(joined(terminal_lines(run, {.width = 100})), Not(HasSubstr("time left")));
  EXPECT_THAT(progress_line(run), Not(HasSubstr("time left")));
  run.message = "";
  run.in_chunks = false;
  run.frames_upscaled = 57'600 - 58 * 600;
  said("10 min of upscaling left, then the encode");
  run.upscale_fps_mean = -1;
  said("time left: known after the first frames");
  run.state = "interrupted";
  EXPECT_THAT(progress_line(run), Not(HasSubstr("time left")));
}

TEST(ProgressLine, TellsTheRunAndWhatRanksDo) {
  RunStatus run = a_run(2);
  run.ranks[1].state = "silent";
  run.ranks[1].silent_s = 75;
  EXPECT_EQ(progress_line(run),
            "working, 18.1%: upscaled 15600 of 57600 frames, 61 fps (mean 58); encoded 5280, 2.1 "
            "fps (mean 2.1); about 6 h 55 min left; limited by the encoders (2.1 fps against 61 of "
            "upscaling): twice the cores would halve it; rank 0: segment 7 120/504 window 2/5, "
            "chunk 3 20/480; rank 1 silent for 75 s");
}

TEST(ProgressLine, OfWhatIsOverTheMeanAlone) {
  RunStatus run = a_run(0);
  run.state = "done";
  EXPECT_EQ(progress_line(run).find("61 fps"), std::string::npos) << progress_line(run);
  EXPECT_THAT(progress_line(run), HasSubstr("58 fps;"));
}

TEST(ClosingLine, TellsHowItWent) {
  RunStatus run = a_run(0);
  run.notices.clear();
  EXPECT_THAT(closing_line(run), ::testing::StartsWith("57600 frames in "));
  EXPECT_THAT(closing_line(run), HasSubstr("58 fps upscaled; back-projection"));
  EXPECT_THAT(closing_line(run), Not(HasSubstr("warnings")));
  run.notices.push_back({"2026-01-02T03:04:05Z", "warning", 0, "store: slow"});
  EXPECT_THAT(closing_line(run), ::testing::EndsWith("; warnings: 1"));
}

TEST(ProgressLine, OfManyRanksTheirNumber) {
  RunStatus run = a_run(64);
  run.ranks[9].state = "idle";
  EXPECT_THAT(progress_line(run), ::testing::EndsWith("; 63 of 64 ranks work"));
}

TEST(Columns, WideAndCombiningCharacters) {
  EXPECT_EQ(columns_of("film"), 4);
  EXPECT_EQ(columns_of("映画"), 4);
  EXPECT_EQ(columns_of("e\u0301"), 1);
  EXPECT_EQ(columns_of("\U0001F3AC"), 2);
  EXPECT_EQ(cut_to("映画の名前", 6, true), "映画\u2026");
  EXPECT_EQ(cut_to("映画の名前", 6, false), "映...");
  EXPECT_EQ(cut_to("film", 4, true), "film");
  EXPECT_EQ(cut_to("a film", 2, false), "..");
}

}  // namespace
}  // namespace vsr::status
