#include "arguments.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace vsr::launcher {
namespace {

using ::testing::HasSubstr;

Arguments parse(std::vector<const char*> words) {
  words.insert(words.begin(), "vsr-dist");
  return parse_arguments(static_cast<int>(words.size()), words.data());
}

std::string refused(const std::vector<const char*>& words) {
  try {
    parse(words);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(Arguments, KeysStandBesideOptionsInAnyOrder) {
  const Arguments arguments =
      parse({"--final.crf=17", "job.ini", "--fresh", "--stream.overlap", "4", "--log-level=debug"});
  EXPECT_EQ(arguments.command, Command::kRun);
  EXPECT_EQ(arguments.job_file, "job.ini");
  EXPECT_TRUE(arguments.fresh);
  EXPECT_EQ(arguments.log_level, log::Level::kDebug);
  EXPECT_EQ(arguments.values, (KeyValues{{"final.crf", "17"}, {"stream.overlap", "4"}}));
}

TEST(Arguments, SelftestTakesNoKeysOfAJob) {
  EXPECT_EQ(parse({"selftest", "--device=cpu"}).device, "cpu");
  EXPECT_THAT(refused({"selftest", "--stream.device=cpu"}), HasSubstr("--stream.device"));
}

TEST(Arguments, DoctorTakesAJobOrNone) {
  EXPECT_EQ(parse({"doctor"}).command, Command::kDoctor);
  const Arguments arguments =
      parse({"doctor", "job.ini", "--final.crf=17", "--json", "--hosts=hosts"});
  EXPECT_EQ(arguments.job_file, "job.ini");
  EXPECT_EQ(arguments.values, (KeyValues{{"final.crf", "17"}}));
  EXPECT_TRUE(arguments.json);
  EXPECT_EQ(arguments.hosts, "hosts");
  EXPECT_THAT(refused({"job.ini", "--json"}), HasSubstr("json"));
}

TEST(Arguments, WhatIsNoOptionIsRefused) {
  EXPECT_THAT(refused({}), HasSubstr("no job given"));
  EXPECT_THAT(refused({"--frehs", "job.ini"}), HasSubstr("frehs"));
  EXPECT_THAT(refused({"a.ini", "b.ini"}), HasSubstr("one job file"));
  EXPECT_THAT(refused({"job.ini", "--final.crf"}), HasSubstr("needs a value"));
  EXPECT_THAT(refused({"job.ini", "--log-level=loud"}), HasSubstr("allowed: trace"));
}

TEST(JobOf, RunDirectoryIsWholeAndHasNoSlashAtItsEnd) {
  const auto here = std::filesystem::current_path();
  EXPECT_EQ(job_of(parse({"--input.file=film.mkv", "--run.dir=runs/x/"})).run.dir,
            (here / "runs/x").string());
  EXPECT_EQ(job_of(parse({"--input.file=some/film.mkv"})).run.dir, (here / "runs/film").string());
  EXPECT_EQ(job_of(parse({"--input.file=some/film.mkv"})).input.file,
            (here / "some/film.mkv").string());
}

TEST(Arguments, HowARunIsToldWhileItIsAtWork) {
  EXPECT_EQ(parse({"a.ini"}).progress, "auto");
  EXPECT_EQ(parse({"a.ini"}).progress_every_s, 30);
  EXPECT_FALSE(parse({"a.ini"}).log_level_given);
  EXPECT_TRUE(parse({"a.ini", "--log-level=info"}).log_level_given);
  EXPECT_EQ(parse({"a.ini", "--progress=lines", "--progress-every=2.5"}).progress, "lines");
  EXPECT_EQ(parse({"a.ini", "--progress-every=2.5"}).progress_every_s, 2.5);
  for (const char* word : {"--progress=bar",
                           "--progress-every=0",
                           "--progress-every=nan",
                           "--progress-every=5s",
                           "--progress-every=-1"}) {
    EXPECT_THROW(parse({"a.ini", word}), Error) << word;
  }
}

TEST(Arguments, OfTwoFilms) {
  const Arguments qc =
      parse({"qc", "a.mkv", "--fail-below=42.5", "b.mkv", "--offset", "-3", "--json"});
  EXPECT_EQ(qc.command, Command::kQc);
  EXPECT_EQ(qc.inputs, (std::vector<std::string>{"a.mkv", "b.mkv"}));
  EXPECT_EQ(qc.fail_below, 42.5);
  EXPECT_EQ(qc.offset, "-3");
  EXPECT_EQ(qc.align, "auto");
  EXPECT_FALSE(qc.force);
  EXPECT_TRUE(parse({"report", "run", "-o", "x.html", "--force"}).force);
  EXPECT_THAT(refused({"qc", "a.mkv"}), HasSubstr("two films"));
  EXPECT_THAT(refused({"compare", "a.mkv", "b.mkv", "--fail-below=3"}), HasSubstr("fail-below"));
}

TEST(Arguments, BehindTwoDashesAreFiles) {
  const Arguments compare = parse({"compare", "-o", "x.png", "--force", "--", "-a.mkv", "--b.mkv"});
  EXPECT_EQ(compare.inputs, (std::vector<std::string>{"-a.mkv", "--b.mkv"}));
  EXPECT_EQ(compare.output, "x.png");
  EXPECT_TRUE(compare.force);
  EXPECT_TRUE(compare.values.empty());
}

}  // namespace
}  // namespace vsr::launcher
