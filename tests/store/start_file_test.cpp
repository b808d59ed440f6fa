#include "vsr/store/start_file.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr::store {
namespace {

using testing::ElementsAre;
using testing::EndsWith;

TEST(StartFile, ComesBackAsItWas) {
  StartFile start;
  start.command = {"vsr-dist", "a job.ini", "--final.height=1440"};
  start.launcher = {"mpirun", "-n", "2"};
  start.directory = "/films";
  start.program_version = "0.1.0";
  start.versions = {"LibTorch: 2.9", "MPI: 4.1"};
  start.host = "pod-a";
  start.pid = 4711;
  start.begun = "2026-01-02T03:04:05Z";
  start.seen = "2026-01-02T03:05:05Z";
  start.exit_status = 6;
  start.message = "no space left";
  start.ranks.push_back({1, "pod-b", "NVIDIA H200", 16, std::int64_t{1} << 36, true});
  start.events.push_back({"2026-01-02T03:04:06Z", "warning", 1, "cluster: \"slow\"\n"});
  start.events_left_out = 3;
  EXPECT_EQ(decode_start_file(encode_start_file(start)), start);
}

TEST(StartFile, WordsThatAreNoUtf8AreMadeSo) {
  StartFile start;
  start.command = {"caf\xe9.ini"};
  EXPECT_THAT(decode_start_file(encode_start_file(start)).command,
              ElementsAre("caf\xef\xbf\xbd.ini"));
}

TEST(StartFile, WhatIsNoneIsRefused) {
  for (const char* text : {"", "{", "[]", "{}", R"({"format":"vsr-dist start","version":99})"}) {
    EXPECT_THROW(decode_start_file(text), Error) << text;
  }
}

TEST(StartFile, LongTextsAreCutBetweenCharacters) {
  StartFile start;
  std::string text = "x";
  while (text.size() < 60'000) text += "\u00e9";
  start.message = text;
  start.events.push_back({"", "error", 0, text});
  const StartFile again = decode_start_file(encode_start_file(start));
  EXPECT_EQ(again.message, again.events.at(0).text);
  EXPECT_LE(again.message.size(), kMostEventBytes);
  EXPECT_GT(again.message.size(), kMostEventBytes - 8);
  EXPECT_THAT(again.message, EndsWith("\u00e9..."));
  EXPECT_EQ(cut_event(std::string(kMostEventBytes, 'x')), std::string(kMostEventBytes, 'x'));
}

// As those who start ranks are told of variables.
TEST(WithoutSecrets, HidesValuesWithinLists) {
  EXPECT_THAT(without_secrets({"srun",
                               "--export=ALL,VSR_STATUS_TOKEN=abc",
                               "--env=VSR_STATUS_TOKEN=abc",
                               "--export",
                               "VSR_STATUS_TOKEN=abc,PATH=/bin",
                               "--export=ALL,VSR_STATUS_TOKEN",
                               "-genv",
                               "VSR_STATUS_TOKEN",
                               "abc",
                               "-x",
                               "VSR_STATUS_TOKEN",
                               "vsr-dist",
                               "--input.file=https://me:word@host/x.mkv?token=abc",
                               "--output=a token"}),
              ElementsAre("srun",
                          "--export=ALL,VSR_STATUS_TOKEN=***",
                          "--env=VSR_STATUS_TOKEN=***",
                          "--export",
                          "VSR_STATUS_TOKEN=***",
                          "--export=ALL,VSR_STATUS_TOKEN",
                          "-genv",
                          "VSR_STATUS_TOKEN",
                          "***",
                          "-x",
                          "VSR_STATUS_TOKEN",
                          "vsr-dist",
                          "--input.file=https://***@host/x.mkv?token=***",
                          "--output=a token"));
}

TEST(WithoutSecrets, HidesValuesOfWhatIsCalledSecret) {
  EXPECT_THAT(without_secrets({"vsr-dist",
                               "--status.token=abc",
                               "--status.token",
                               "def",
                               "--model.checkpoint=https://me:word@host/x.pth",
                               "-x",
                               "AWS_SECRET_ACCESS_KEY=xyz",
                               "--final.height=1440"}),
              ElementsAre("vsr-dist",
                          "--status.token=***",
                          "--status.token",
                          "***",
                          "--model.checkpoint=https://***@host/x.pth",
                          "-x",
                          "AWS_SECRET_ACCESS_KEY=***",
                          "--final.height=1440"));
}

}  // namespace
}  // namespace vsr::store
