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
    record_.file = directory_.new_file(1, ".mov").filename().string();
    write_file(directory_.file_of(record_), "pictures");
    EXPECT_TRUE(directory_.commit(plan_, record_));
  }

  // Another attempt at the same segment, up to its commit.
  Record another(const std::string& extension = ".mov") {
    Record record = record_;
    record.file = directory_.new_file(1, extension).filename().string();
    record.device = "another";
    write_file(directory_.file_of(record), "pictures");
    return record;
  }

  std::string why_not() {
    std::string why;
    const auto record = directory_.committed(plan_, plan_.segments[1], &why);
    EXPECT_FALSE(record.has_value());
    return why;
  }

  test::TemporaryFolder folder_;
  RunDirectory directory_;
  Plan plan_;
  Record record_;
};

TEST_F(Committed, WholeSegmentCounts) {
  EXPECT_TRUE(directory_.committed(plan_, plan_.segments[1], nullptr).has_value());
  std::string why = "?";
  EXPECT_FALSE(directory_.committed(plan_, plan_.segments[0], &why).has_value());
  EXPECT_EQ(why, "");
}

TEST_F(Committed, ItsPreviewsAreReadOneAtATime) {
  record_.previews = {{30, "middle", "a", "b", "c", "d"}, {31, "worst", "e", "f"}};
  write_file(directory_.record_file(1), encode_record(record_));
  EXPECT_EQ(directory_.preview(1, "worst"), record_.previews[1]);
  EXPECT_EQ(directory_.preview(1, "none such"), std::nullopt);
  EXPECT_EQ(directory_.preview(0, "worst"), std::nullopt);  // has no record
}

TEST_F(Committed, IsFoundWithoutMakingAnything) {
  std::filesystem::remove_all(directory_.root() / "chunks");
  EXPECT_FALSE(RunDirectory::find(directory_.root()));  // no run was begun here
  write_file(directory_.lock_file(), "");
  const auto found = RunDirectory::find(directory_.root());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->committed(plan_, plan_.segments[1], nullptr));
  EXPECT_FALSE(found->committed(plan_, plan_.segments[1], nullptr, Piece::kChunk));
  EXPECT_FALSE(std::filesystem::exists(directory_.root() / "chunks"));
  EXPECT_FALSE(RunDirectory::find(directory_.root() / "nowhere"));
  EXPECT_FALSE(std::filesystem::exists(directory_.root() / "nowhere"));
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
  old.attribute("version", std::int64_t{kOldestRecordVersion - 1});
  write_file(directory_.record_file(1), old.finish());
  EXPECT_THAT(why_not(), HasSubstr("record version 2, this program knows 3 to 4"));
}

TEST_F(Committed, CutMezzanineDoesNotCount) {
  write_file(directory_.file_of(record_), "pict");
  EXPECT_THAT(why_not(), HasSubstr("has 4 bytes, its record says 8"));
  std::filesystem::remove(directory_.file_of(record_));
  EXPECT_THAT(why_not(), HasSubstr("gone"));
}

TEST_F(Committed, RecordOfAnotherPlanDoesNotCount) {
  plan_.identity["model.precision"] = "fp32";
  EXPECT_THAT(why_not(), HasSubstr("another plan"));
}

TEST_F(Committed, RecordUnderAnotherNameDoesNotCount) {
  std::filesystem::rename(directory_.record_file(1), directory_.record_file(0));
  std::string why;
  EXPECT_FALSE(directory_.committed(plan_, plan_.segments[0], &why).has_value());
  EXPECT_THAT(why, HasSubstr("another segment"));
}

TEST_F(Committed, DiscardLeavesNothing) {
  const Record left = another();
  directory_.discard(1);
  EXPECT_FALSE(std::filesystem::exists(directory_.record_file(1)));
  EXPECT_FALSE(std::filesystem::exists(directory_.file_of(record_)));
  EXPECT_FALSE(std::filesystem::exists(directory_.file_of(left)));
}

TEST_F(Committed, OfTwoAttemptsTheFirstCommittedStands) {
  const Record late = another();
  EXPECT_FALSE(directory_.commit(plan_, late));
  EXPECT_FALSE(std::filesystem::exists(directory_.file_of(late)));
  const auto stands = directory_.committed(plan_, plan_.segments[1], nullptr);
  ASSERT_TRUE(stands.has_value());
  EXPECT_EQ(stands->file, record_.file);
}

TEST_F(Committed, ANewAttemptReplacesWhatDoesNotHoldAndSweepsTheRest) {
  write_file(directory_.file_of(record_), "pict");
  const Record left = another();
  write_file(part_name(directory_.file_of(left)), "pic");
  const Record good = another();
  EXPECT_TRUE(directory_.commit(plan_, good));
  EXPECT_TRUE(directory_.committed(plan_, plan_.segments[1], nullptr).has_value());
  for (const Record& gone : {record_, left}) {
    EXPECT_FALSE(std::filesystem::exists(directory_.file_of(gone))) << gone.file;
    EXPECT_FALSE(std::filesystem::exists(part_name(directory_.file_of(gone)))) << gone.file;
  }
}

TEST_F(Committed, ARecordThatLeadsElsewhereDoesNotCount) {
  for (const char* file : {"../plan.h5", "0002-abcdef01.mov", "0001-x/../../plan.h5", "", "0001"}) {
    Record bad = record_;
    bad.file = file;
    directory_.discard(1);
    write_file(directory_.record_file(1), encode_record(bad));
    EXPECT_THAT(why_not(), HasSubstr("names a file not its own")) << file;
  }
}

TEST_F(Committed, RecordedSegmentsAreThoseWithARecord) {
  EXPECT_EQ(directory_.recorded_segments(), std::vector<int>{1});
  write_file(directory_.record_file(0), "torn");
  another();
  EXPECT_EQ(directory_.recorded_segments(), (std::vector<int>{0, 1}));
  EXPECT_TRUE(directory_.recorded_segments(Piece::kChunk).empty());
}

TEST_F(Committed, FilmsAreMadeInFoldersThatGo) {
  const auto one = directory_.new_final_folder();
  const auto two = directory_.new_final_folder();
  EXPECT_NE(one, two);
  write_file(one / "film.mkv.part", "half a film");
  write_file(directory_.final_dir() / "film.mkv", "film");
  directory_.sweep_final();
  EXPECT_FALSE(std::filesystem::exists(one));
  EXPECT_FALSE(std::filesystem::exists(two));
  EXPECT_TRUE(std::filesystem::exists(directory_.final_dir() / "film.mkv"));
}

// A folder that keeps what it holds, and no part file beside it that could be removed well.
TEST_F(Committed, WhatCannotBeDiscardedIsNamed) {
  const std::filesystem::path pictures = directory_.new_file(1, "");
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
    directory_.discard(1);
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

TEST(SegmentName, FilesOfPiecesAreToldFromAllOthers) {
  const auto expect = [](const std::string& name, Piece piece, int segment, bool is_record) {
    const auto file = parse_piece_file(name);
    ASSERT_TRUE(file) << name;
    EXPECT_EQ(file->piece, piece) << name;
    EXPECT_EQ(file->segment, segment) << name;
    EXPECT_EQ(file->is_record, is_record) << name;
  };
  expect("segments/0007-0badcafe.mov", Piece::kSegment, 7, false);
  expect("segments/0007.h5", Piece::kSegment, 7, true);
  expect("chunks/12345-01234567.nut", Piece::kChunk, 12345, false);
  expect("chunks/0000.h5", Piece::kChunk, 0, true);
  expect("chunks/0000-0badcafe.nut.h5", Piece::kChunk, 0, true);
  for (const char* bad : {"",
                          "0007.mov",
                          "segments/0007",
                          "segments/0007-0badcafe.mov.part",
                          "segments/0007-0badcafe.mov/x",
                          "segments/../plan.h5",
                          "segments/0007./../../plan.h5",
                          "segments/7.mov",
                          "segments//0007.mov",
                          "/segments/0007.mov",
                          "final/0007.mov",
                          "chunks/.h5"}) {
    EXPECT_FALSE(parse_piece_file(bad)) << bad;
  }
}

// Holds the lock in another process until it is told to end.
class OtherHolder {
 public:
  OtherHolder(const RunDirectory& directory, RunLock::Hold hold) {
    EXPECT_EQ(pipe(ready_), 0);
    child_ = fork();
    if (child_ == 0) {
      const RunLock lock(directory, hold);
      lock.sign();
      const char byte = 1;
      if (write(ready_[1], &byte, 1) != 1) _exit(1);
      pause();
      _exit(0);
    }
    char byte = 0;
    EXPECT_EQ(read(ready_[0], &byte, 1), 1);
  }

  ~OtherHolder() {
    end();
    close(ready_[0]);
    close(ready_[1]);
  }

  pid_t process() const { return child_; }

  void end() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    child_ = 0;
  }

 private:
  int ready_[2] = {-1, -1};
  pid_t child_ = 0;
};

TEST(RunLock, JobsHoldItTogetherAndOneThatWantsItAloneIsRefusedByName) {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path() / "run");
  OtherHolder other(directory, RunLock::Hold::kTogether);
  {
    const RunLock joined(directory, RunLock::Hold::kTogether);
    EXPECT_FALSE(joined.was_alone());
  }
  OtherHolder third(directory, RunLock::Hold::kTogether);
  try {
    const RunLock lock(directory, RunLock::Hold::kAlone);
    FAIL() << "two holders";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("process " + std::to_string(third.process())));
  }
  other.end();
  third.end();
  EXPECT_TRUE(RunLock(directory, RunLock::Hold::kTogether).was_alone());
  EXPECT_NO_THROW(RunLock(directory, RunLock::Hold::kAlone));
}

TEST(RunLock, WhoHoldsItAloneLetsNobodyIn) {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path() / "run");
  const OtherHolder other(directory, RunLock::Hold::kAlone);
  EXPECT_THROW(RunLock(directory, RunLock::Hold::kTogether), Error);
  EXPECT_THROW(RunLock(directory, RunLock::Hold::kAlone), Error);
}

TEST(RunDirectory, UnwritablePlaceIsAStorageError) {
  EXPECT_THROW(RunDirectory("/proc/nowhere/run"), Error);
}

}  // namespace
}  // namespace vsr::store
