#include "vsr/store/start_file.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr::store {
namespace {

using testing::ElementsAre;

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
