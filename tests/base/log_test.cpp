#include "vsr/base/log.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

namespace vsr {
namespace {

TEST(Log, OneLineAnEventWithRankAndRoom) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "rank-3.log";
  log::configure({.terminal = log::Level::kOff, .path = path.string(), .rank = 3});
  log::info("pipeline", "segment {} done", 7);
  log::trace("pipeline", "not kept");
  log::flush();
  const std::string text = read_file(path);
  EXPECT_NE(text.find("rank=3"), std::string::npos);
  EXPECT_NE(text.find("pipeline: segment 7 done\n"), std::string::npos);
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

TEST(Log, FileThatCannotBeOpenedIsAStorageError) {
  EXPECT_THROW(log::configure({.path = "/proc/nonexistent/log"}), Error);
}

}  // namespace
}  // namespace vsr
