#include "vsr/store/run_directory.hpp"

#include "h5.hpp"
#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vsr::store {
namespace {

using ::testing::HasSubstr;

class Committed : public ::testing::Test {
 protected:
  Committed() : directory_(folder_.path() / "run") {
    plan_.timeline_frames = 40;
    plan_.segments = plan_segments(40, {20, 4});
    record_.segment = plan_.segments[1];
    record_.plan_fingerprint = plan_.fingerprint();
    record_.frames = record_.segment.input.size();
    record_.checksums.assign(static_cast<std::size_t>(record_.frames), 1);
    record_.bytes = 8;
    write_file(directory_.mezzanine(1, ".mov"), "pictures");
    directory_.commit(record_);
  }

  std::string why_not() {
    std::string why;
    const auto record = directory_.committed(plan_, plan_.segments[1], ".mov", &why);
    EXPECT_FALSE(record.has_value());
    return why;
  }

  test::TemporaryFolder folder_;
  RunDirectory directory_;
  Plan plan_;
  Record record_;
};

TEST_F(Committed, WholeSegmentCounts) {
  EXPECT_TRUE(directory_.committed(plan_, plan_.segments[1], ".mov", nullptr).has_value());
  std::string why = "?";
  EXPECT_FALSE(directory_.committed(plan_, plan_.segments[0], ".mov", &why).has_value());
  EXPECT_EQ(why, "");
}

TEST_F(Committed, TornRecordDoesNotCount) {
  const std::string bytes = read_file(directory_.record_file(1));
  write_file(directory_.record_file(1), bytes.substr(0, bytes.size() - 100));
  EXPECT_THAT(why_not(), HasSubstr("record cannot be used"));
  write_file(directory_.record_file(1), "");
  EXPECT_THAT(why_not(), HasSubstr("record cannot be used"));
}

TEST_F(Committed, RecordOfAnotherVersionDoesNotCount) {
  h5::Writer old;
  old.attribute("format", std::string("vsr-dist record"));
  old.attribute("version", std::int64_t{kRecordVersion - 1});
  write_file(directory_.record_file(1), old.finish());
  EXPECT_THAT(why_not(), HasSubstr("record version 1, this program knows 2"));
}

TEST_F(Committed, CutMezzanineDoesNotCount) {
  write_file(directory_.mezzanine(1, ".mov"), "pict");
  EXPECT_THAT(why_not(), HasSubstr("has 4 bytes, its record says 8"));
  std::filesystem::remove(directory_.mezzanine(1, ".mov"));
  EXPECT_THAT(why_not(), HasSubstr("gone"));
}

TEST_F(Committed, RecordOfAnotherPlanDoesNotCount) {
  plan_.identity["model.precision"] = "fp32";
  EXPECT_THAT(why_not(), HasSubstr("another plan"));
}

TEST_F(Committed, RecordUnderAnotherNameDoesNotCount) {
  std::filesystem::rename(directory_.record_file(1), directory_.record_file(0));
  std::filesystem::rename(directory_.mezzanine(1, ".mov"), directory_.mezzanine(0, ".mov"));
  std::string why;
  EXPECT_FALSE(directory_.committed(plan_, plan_.segments[0], ".mov", &why).has_value());
  EXPECT_THAT(why, HasSubstr("another segment"));
}

TEST_F(Committed, DiscardLeavesNothing) {
  directory_.discard(1, ".mov");
  EXPECT_FALSE(std::filesystem::exists(directory_.record_file(1)));
  EXPECT_FALSE(std::filesystem::exists(directory_.mezzanine(1, ".mov")));
}

// A folder that keeps what it holds, and no part file beside it that could be removed well.
TEST_F(Committed, WhatCannotBeDiscardedIsNamed) {
  const std::filesystem::path pictures = directory_.mezzanine(1, "");
  std::filesystem::create_directories(pictures);
  write_file(pictures / "00000001.png", "picture");
  using std::filesystem::perms;
  std::filesystem::permissions(folder_.path(), perms::all);
  std::filesystem::permissions(directory_.root(), perms::all);
  std::filesystem::permissions(pictures.parent_path(), perms::all);
  std::filesystem::permissions(pictures, perms::owner_read | perms::owner_exec);
  const bool root = geteuid() == 0;  // whom permissions do not stop
  constexpr uid_t kNobody = 65534;
  if (root) {
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  std::string said;
  try {
    directory_.discard(1, "");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    said = error.what();
  }
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  std::filesystem::permissions(pictures, perms::owner_all);
  EXPECT_THAT(said, HasSubstr(pictures.string() + ": cannot be removed"));
}

TEST_F(Committed, PlanComesBackAndDamageIsNamed) {
  EXPECT_FALSE(directory_.read_plan().has_value());
  directory_.write_plan(plan_);
  EXPECT_EQ(directory_.read_plan()->fingerprint(), plan_.fingerprint());
  write_file(directory_.plan_file(), "garbage");
  try {
    directory_.read_plan();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("plan.h5"));
    EXPECT_THAT(error.what(), HasSubstr("--fresh starts over"));
  }
}

TEST(SegmentName, GoodAndBadNames) {
  EXPECT_EQ(segment_name(7), "0007");
  EXPECT_EQ(segment_name(12345), "12345");
  EXPECT_EQ(parse_segment_name("0007"), 7);
  EXPECT_EQ(parse_segment_name("12345"), 12345);
  for (const char* bad : {"", "7", "00007", "0007.mov", "-001", "+007", "abcd", "0x07", " 007"}) {
    EXPECT_EQ(parse_segment_name(bad), std::nullopt) << bad;
  }
}

TEST(RunLock, SecondHolderIsRefusedByNameAndFreedByDeath) {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path() / "run");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const RunLock lock(directory);
    const char byte = 1;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  try {
    const RunLock lock(directory);
    FAIL() << "two holders";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("process " + std::to_string(child)));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(RunLock{directory});
  close(ready[0]);
  close(ready[1]);
}

TEST(RunDirectory, UnwritablePlaceIsAStorageError) {
  EXPECT_THROW(RunDirectory("/proc/nowhere/run"), Error);
}

}  // namespace
}  // namespace vsr::store
