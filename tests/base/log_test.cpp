#include "vsr/base/log.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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
