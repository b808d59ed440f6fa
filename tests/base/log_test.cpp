#include "vsr/base/log.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace vsr {
namespace {

TEST(Log, OneLineAnEventWithRankAndRoom) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "rank-3.log";
  log::configure({.terminal = log::Level::kOff, .path = path.string(), .rank = 3});
  log::info("pipeline", "segment {} done", 7);
  log::write(log::Level::kInfo, "pipeline", "{} in a text {is kept");
  log::trace("pipeline", "not kept");
  log::flush();
  const std::string text = read_file(path);
  EXPECT_NE(text.find("rank=3"), std::string::npos);
  EXPECT_NE(text.find("pipeline: segment 7 done\n"), std::string::npos);
  EXPECT_NE(text.find("pipeline: {} in a text {is kept\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("not kept"), std::string::npos);
  log::configure({});
}

TEST(Log, JsonLinesAreEscaped) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "log";
  log::configure({.terminal = log::Level::kOff, .path = path.string(), .json = true});
  log::warning("media", "a \"quoted\"\nname\\");
  log::flush();
  const std::string text = read_file(path);
  EXPECT_NE(text.find(R"("room":"media","text":"a \"quoted\"\nname\\"})"), std::string::npos)
      << text;
  log::configure({});
}

TEST(Log, LinesForTheTerminalGoWhereTheyAreToldToWhole) {
  std::vector<std::string> lines;
  std::vector<std::string> heard;
  log::configure({.terminal = log::Level::kInfo,
                  .rank = 2,
                  .terminal_writer = [&](std::string_view line) { lines.emplace_back(line); },
                  .observer =
                      [&](log::Level, std::string_view room, std::string_view text) {
                        heard.push_back(format("{}: {}", room, text));
                      }});
  testing::internal::CaptureStderr();
  log::info("pipeline", "segment {} done", 7);
  log::warning("store", "the disk\nis slow");
  log::configure({});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].substr(8), " info    [2] pipeline: segment 7 done\n");
  EXPECT_EQ(lines[1].substr(8), " warning [2] store: the disk\\nis slow\n");
  EXPECT_EQ(heard, std::vector<std::string>{"store: the disk\nis slow"});
}

TEST(Log, ColourIsOfTheLevelAlone) {
  std::string line;
  log::configure({.terminal_writer = [&](std::string_view text) { line = text; }, .colour = true});
  log::warning("store", "slow");
  log::configure({});
  EXPECT_EQ(line.substr(8), " \x1b[33;1mwarning\x1b[0m [0] store: slow\n");
}

TEST(Log, WarningsAreHeardWhereNoSinkTakesThem) {
  int heard = 0;
  log::configure({.terminal = log::Level::kOff,
                  .observer = [&](log::Level, std::string_view, std::string_view) { ++heard; }});
  log::info("store", "as ever");
  log::error("store", "lost");
  log::configure({});
  EXPECT_EQ(heard, 1);
}

// A pipe keeps what one write() brings in one piece; so do lines of several ranks in mpirun's.
TEST(Log, ALineReachesStderrInOnePiece) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_DIRECT), 0);  // what is read is what one write() brought
  const int kept = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  log::configure({});
  log::warning("store", "{}", std::string(300, 'x'));
  dup2(kept, STDERR_FILENO);
  close(kept);
  std::array<char, 4096> bytes{};
  const ssize_t got = read(ends[0], bytes.data(), bytes.size());
  close(ends[0]);
  close(ends[1]);
  ASSERT_GT(got, 300);
  EXPECT_EQ(bytes[static_cast<std::size_t>(got) - 1], '\n');
}

// /dev/full opens and takes no byte, as a file on a full disk does.
TEST(Log, FullDiskIsSaidOnceInOurWords) {
  testing::internal::CaptureStderr();
  log::configure({.terminal = log::Level::kWarning, .path = "/dev/full"});
  for (int i = 0; i < 3; ++i) log::warning("store", "line {}", i);
  log::flush();
  log::configure({});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("LOG ERROR"), std::string::npos) << text;
  EXPECT_NE(text.find("No space left"), std::string::npos) << text;
  EXPECT_NE(text.find("line 2"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4) << text;
}

TEST(Log, FullDiskIsSilentWhereTheTerminalIsOff) {
  testing::internal::CaptureStderr();
  log::configure({.terminal = log::Level::kOff, .path = "/dev/full"});
  log::warning("store", "line");
  log::flush();
  log::configure({});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Log, FileThatCannotBeOpenedIsAStorageError) {
  EXPECT_THROW(log::configure({.path = "/proc/nonexistent/log"}), Error);
}

}  // namespace
}  // namespace vsr
