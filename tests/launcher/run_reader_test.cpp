#include "run_reader.hpp"

#include "chunk_runner.hpp"
#include "final_films.hpp"
#include "report_command.hpp"
#include "run_book.hpp"
#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/job/job_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace vsr::launcher {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int kSegments = 16;
constexpr std::int64_t kFrames = 10;  // of each

// A run of segments whose frames are as like the source as the test says.
class ReadRun : public ::testing::Test {
 protected:
  ReadRun() {
    plan_.timeline_frames = kSegments * kFrames;
    plan_.timeline_rate = {25, 1};
    for (int i = 0; i < kSegments; ++i) {
      const FrameRange core{i * kFrames, (i + 1) * kFrames};
      plan_.segments.push_back({i,
                                core,
                                {std::max<std::int64_t>(0, core.begin - 2),
                                 std::min(core.end + 2, plan_.timeline_frames)}});
    }
    directory_.write_plan(plan_);
    job_.input.file = (folder_.path() / "film.mkv").string();
    job_.run.dir = directory_.root().string();
    job_.segment.codec = SegmentCodec::kProres;
    write_file(job_.input.file, "a film");
    write_file(directory_.job_file(), print_job(job_, false));
    write_file(directory_.lock_file(), "");
  }

  void commit(int index, float db = 40, int level = 50) {
    store::Record record;
    record.segment = plan_.segments.at(static_cast<std::size_t>(index));
    record.plan_fingerprint = plan_.fingerprint();
    const fs::path file = directory_.new_file(index, ".mov");
    write_file(file, "mezzanine");
    record.file = file.filename().string();
    record.bytes = 9;
    record.frames = plan_.held(record.segment).size();
    record.checksums.assign(static_cast<std::size_t>(record.frames), 7);
    record.started = "2026-01-02T03:04:05Z";
    record.wall_s = 2;
    record.stage_s = {{"network", 1.5}};
    for (const FrameRange& range : seam_frames(record.segment)) {
      for (std::int64_t frame = range.begin; frame < range.end; ++frame) {
        const auto luma = static_cast<std::uint16_t>(level + frame % 2);
        record.seam_luma[frame] = {2, 1, 8, {luma, luma}};
      }
    }
    record.measures.back_projection_db.assign(kFrames, 45);
    record.measures.back_projection_db[3] = db;
    const std::int64_t frame = record.segment.core.begin;
    record.previews = {{frame + 3, "worst", "b", "a", "", ""},
                       {frame + 5, "middle", "b", "a", "", ""}};
    ASSERT_TRUE(directory_.commit(plan_, record));
  }

  void commit_all() {
    for (int i = 0; i < kSegments; ++i) commit(i);
  }

  void commit_chunk(int index) {
    const store::Plan chunks = chunk_plan(job_, plan_);
    store::Record record;
    record.segment = chunks.segments.at(static_cast<std::size_t>(index));
    record.plan_fingerprint = chunks.fingerprint();
    const fs::path file = directory_.new_file(index, ".mkv", store::Piece::kChunk);
    write_file(file, "chunk");
    record.file = file.filename().string();
    record.bytes = 5;
    record.frames = chunks.held(record.segment).size();
    record.checksums.assign(static_cast<std::size_t>(record.frames), 7);
    ASSERT_TRUE(directory_.commit(chunks, record, store::Piece::kChunk));
  }

  void write_ledger(const RunReader& reader) {
    directory_.write_for_people(directory_.run_file(), store::encode_ledger(reader.run()), "me");
  }

  // As a job with segment.keep = off ends.
  void make_the_film() {
    const fs::path film = directory_.final_dir() / "film.mkv";
    write_file(film, "made");
    write_stamp(directory_, final_identity(job_, chunk_plan(job_, plan_)), {film});
  }

  void discard_all() {
    for (int i = 0; i < kSegments; ++i) {
      directory_.discard(i);
      directory_.discard(i, store::Piece::kChunk);
    }
  }

  std::vector<std::int64_t> seams(const RunReader& reader) {
    std::vector<std::int64_t> frames;
    for (const store::LedgerSeam& seam : reader.run().seams) frames.push_back(seam.frame);
    return frames;
  }

  test::TemporaryFolder folder_;
  store::RunDirectory directory_{folder_.path() / "run"};
  store::Plan plan_;
  Job job_;
};

int count(const store::LedgerPieces& records) {
  return static_cast<int>(
      std::ranges::count_if(records, [](const auto& record) { return record.has_value(); }));
}

TEST_F(ReadRun, WhoeverListensHearsEachRecordOnceAndWhole) {
  commit(1);
  commit_chunk(1);
  RunReader reader(directory_, plan_, job_);
  std::vector<std::string> heard;
  reader.on_record([&](const cluster::Piece& piece, const store::Record& record) {
    heard.push_back(cluster::describe(piece.work, piece.segment) +
                    (record.previews.empty() ? "" : " with previews"));
  });
  reader.update();
  commit(2);
  reader.update_new();
  reader.update();
  EXPECT_THAT(
      heard,
      ElementsAre("segment 1 with previews", "the chunk of segment 1", "segment 2 with previews"));
}

TEST_F(ReadRun, SeamsAreThereWithEveryFrameThatBothSegmentsHave) {
  commit(4);
  commit(6);
  RunReader reader(directory_, plan_, job_);
  reader.update();
  EXPECT_THAT(reader.seams(), IsEmpty());
  commit(5);
  reader.update_new();
  ASSERT_EQ(reader.seams().size(), 2u);
  EXPECT_EQ(reader.seams().at(5).frame, 5 * kFrames);
  EXPECT_EQ(reader.seams().at(6).doubled.size(), 4u);
}

TEST_F(ReadRun, TakesInWhatIsCommittedMeanwhile) {
  RunReader reader(directory_);
  EXPECT_FALSE(reader.update());
  commit(5);
  EXPECT_TRUE(reader.update());
  EXPECT_FALSE(reader.update());
  EXPECT_TRUE(reader.run().segments[5]);
  EXPECT_FALSE(reader.run().segments[4]);
  EXPECT_TRUE(reader.run().segments[5]->seam_luma.empty());
}

TEST_F(ReadRun, MeasuresASeamOnceBothOfItsSegmentsAreThere) {
  RunReader reader(directory_);
  commit(5);
  commit(7);
  reader.update();
  EXPECT_THAT(seams(reader), IsEmpty());
  commit(6, 40, 53);
  reader.update();
  EXPECT_THAT(seams(reader), ElementsAre(60, 70));
  EXPECT_TRUE(reader.run().seams[0].may_be_seen);
  // Made again, and alike now.
  directory_.discard(6);
  commit(6, 40, 50);
  reader.update();
  EXPECT_THAT(seams(reader), ElementsAre(60, 70));
  EXPECT_FALSE(reader.run().seams[0].may_be_seen);
}

TEST_F(ReadRun, ADamagedRecordIsNamedAndTheOthersStand) {
  commit(2);
  commit(3);
  std::ofstream(directory_.record_file(3), std::ios::binary | std::ios::app) << "more";
  RunReader reader(directory_);
  reader.update();
  EXPECT_TRUE(reader.run().segments[2]);
  EXPECT_FALSE(reader.run().segments[3]);
  const auto problems = reader.report_data().problems;
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr("segment 3: its record cannot be used"));
  EXPECT_THAT(problems[0], Not(HasSubstr("run.h5")));
}

TEST_F(ReadRun, ShowsTheWorstFramesOfAll) {
  for (int i = 0; i < kSegments; ++i) commit(i, static_cast<float>(20 + (i * 7) % kSegments));
  RunReader reader(directory_);
  reader.update();
  const status::ReportData data = reader.report_data();
  ASSERT_EQ(data.worst.size(), 12U);
  for (std::size_t i = 0; i < data.worst.size(); ++i) {
    EXPECT_EQ(data.worst[i].back_projection_db, 20.0 + static_cast<double>(i));
  }
  ASSERT_EQ(data.middle.size(), 4U);
  EXPECT_LT(data.middle[0].preview.frame, data.middle[1].preview.frame);
  EXPECT_EQ(data.source.name, "film.mkv");
  EXPECT_EQ(data.source.bytes, 6);
}

TEST_F(ReadRun, LooksAtNamesAloneWhereItIsToldTo) {
  RunReader reader(directory_);
  commit(5);
  EXPECT_TRUE(reader.update_new());
  EXPECT_FALSE(reader.update_new());
  commit(4);
  EXPECT_TRUE(reader.update_new());
  EXPECT_EQ(count(reader.run().segments), 2);
  EXPECT_THAT(seams(reader), ElementsAre(50));
  directory_.discard(4);
  EXPECT_TRUE(reader.update_new());
  EXPECT_EQ(count(reader.run().segments), 1);
  // What has changed under its name is seen by the look at all.
  std::ofstream(directory_.record_file(5), std::ios::binary | std::ios::app) << "more";
  EXPECT_FALSE(reader.update_new());
  EXPECT_TRUE(reader.update());
  EXPECT_EQ(count(reader.run().segments), 0);
}

TEST_F(ReadRun, WhatCouldNotBeReadOnceIsReadAgain) {
  commit(5);
  const fs::path file = directory_.record_file(5);
  const fs::path aside = file.parent_path() / "aside";
  const auto time = fs::last_write_time(file);
  // To a look the same file: of this size, of this time.
  fs::copy_file(file, aside);
  write_file(file, std::string(fs::file_size(aside), 'x'));
  fs::last_write_time(file, time);
  RunReader reader(directory_);
  reader.update();
  EXPECT_EQ(count(reader.run().segments), 0);
  EXPECT_FALSE(reader.update()) << "nothing is new about it";
  fs::rename(aside, file);
  fs::last_write_time(file, time);
  EXPECT_TRUE(reader.update());
  EXPECT_EQ(count(reader.run().segments), 1);
  EXPECT_TRUE(reader.report_data().problems.empty());
}

TEST_F(ReadRun, LooksAtEachRecordWhereTheirFolderCannotBeRead) {
  RunReader reader(directory_);
  const fs::path folder = directory_.record_file(0, store::Piece::kChunk).parent_path();
  fs::remove(folder);
  write_file(folder, "no folder");
  commit(5);
  EXPECT_TRUE(reader.update_new());
  EXPECT_TRUE(reader.run().segments[5]);
}

// Two jobs share a run that keeps no pieces: one has made the film and discarded what the other has
// not read yet.
TEST_F(ReadRun, WhatAnotherJobHasReadAndDiscardedIsTakenFromItsLedger) {
  commit(0);
  RunReader late(directory_);
  late.update();
  commit(1);
  late.update_new();
  for (int i = 2; i < kSegments; ++i) commit(i);
  for (int i = 0; i < kSegments; ++i) commit_chunk(i);
  RunReader joining(directory_);
  joining.update();
  make_the_film();
  write_ledger(joining);
  discard_all();
  late.update();
  EXPECT_EQ(count(late.run().segments), kSegments);
  EXPECT_EQ(count(late.run().chunks), kSegments);
  EXPECT_EQ(seams(late), seams(joining));
}

TEST_F(ReadRun, PiecesOfAnotherFilmAreNotClaimed) {
  commit_all();
  for (int i = 0; i < kSegments; ++i) commit_chunk(i);
  RunReader first(directory_);
  first.update();
  make_the_film();
  write_ledger(first);
  discard_all();
  // The same segments for a film of another size, which are to be made again.
  job_.final.height = 720;
  write_file(directory_.job_file(), print_job(job_, false));
  RunReader second(directory_);
  second.update();
  EXPECT_EQ(count(second.run().segments), 0);
  EXPECT_EQ(count(second.run().chunks), 0);
  // Nor where the ledger is older than the film.
  make_the_film();
  RunReader third(directory_);
  third.update();
  EXPECT_EQ(count(third.run().segments), kSegments);
  EXPECT_EQ(count(third.run().chunks), 0);
}

TEST_F(ReadRun, WhatRecordsSaidStandsWhenTheFilmIsMadeAndTheyAreGone) {
  commit_all();
  RunReader reader(directory_);
  reader.update();
  write_ledger(reader);
  make_the_film();
  discard_all();
  reader.update();
  EXPECT_TRUE(reader.run().segments[4]);
  RunReader later(directory_);
  later.update();
  ASSERT_TRUE(later.run().segments[4]);
  EXPECT_EQ(later.run().segments[4]->measures, reader.run().segments[4]->measures);
  EXPECT_EQ(later.run().segments[4]->content_crc32, reader.run().segments[4]->content_crc32);
  EXPECT_EQ(seams(later).size(), kSegments - 1U);
  ASSERT_EQ(later.report_data().films.size(), 1U);
  EXPECT_EQ(later.report_data().films[0].name, "film.mkv");
}

// A job goes on with a run whose film was moved away: all is made anew.
TEST_F(ReadRun, WhatTheFilmThatIsGoneWasMadeOfIsNotNamed) {
  commit_all();
  RunReader before(directory_);
  before.update();
  write_ledger(before);
  make_the_film();
  discard_all();
  fs::remove(directory_.final_dir() / "film.mkv");
  RunReader report(directory_);  // of nobody who works there
  report.update();
  EXPECT_TRUE(report.run().segments[3]);
  RunReader reader(directory_, plan_, job_);
  commit(2);
  reader.update();
  EXPECT_FALSE(reader.run().segments[3]);
  EXPECT_TRUE(reader.run().segments[2]);
  // It is made again, with other bytes, and moved away at once.
  write_file(directory_.final_dir() / "film.mkv", "made again");
  write_stamp(directory_,
              final_identity(job_, chunk_plan(job_, plan_)),
              {directory_.final_dir() / "film.mkv"});
  fs::remove(directory_.final_dir() / "film.mkv");
  discard_all();
  reader.update();
  EXPECT_TRUE(reader.run().segments[2]);
}

TEST_F(ReadRun, WhatIsToldOfADamagedRecordOutOfTheLedgerIsSaidToBe) {
  commit_all();
  RunReader reader(directory_);
  reader.update();
  write_ledger(reader);
  make_the_film();
  std::ofstream(directory_.record_file(3), std::ios::binary | std::ios::app) << "more";
  RunReader later(directory_);
  later.update();
  EXPECT_TRUE(later.run().segments[3]);
  EXPECT_THAT(later.report_data().problems,
              ElementsAre(HasSubstr("what is told of it is from run.h5")));
}

TEST_F(ReadRun, WithoutTheStampRecordsThatAreGoneAreToBeMadeAgain) {
  commit(4);
  RunReader reader(directory_);
  reader.update();
  directory_.discard(4);
  EXPECT_TRUE(reader.update());
  EXPECT_FALSE(reader.run().segments[4]);
}

TEST_F(ReadRun, AJobOfAnotherVersionIsNamedAndTheRestStands) {
  commit(1);
  write_file(directory_.job_file(), "[of]\nanother = world\n");
  RunReader reader(directory_);
  reader.update();
  EXPECT_TRUE(reader.run().segments[1]);
  EXPECT_THAT(reader.report_data().problems, ElementsAre(HasSubstr("job.ini cannot be used")));
}

TEST_F(ReadRun, AStartThatCannotBeReadIsNamed) {
  make_directories(directory_.root() / "starts");
  write_file(directory_.start_file("a"), "{");
  store::StartFile start;
  start.host = "pod-a";
  write_file(directory_.start_file("b"), store::encode_start_file(start));
  RunReader reader(directory_);
  reader.update();
  ASSERT_EQ(reader.run().starts.size(), 1U);
  EXPECT_EQ(reader.run().starts[0].second.host, "pod-a");
  // What has not ended goes on, and says so.
  start.ended = "2026-01-02T03:04:05Z";
  write_file(directory_.start_file("b"), store::encode_start_file(start));
  reader.update_new();
  reader.update_new();
  ASSERT_EQ(reader.run().starts.size(), 1U);
  EXPECT_EQ(reader.run().starts[0].second.ended, start.ended);
  EXPECT_THAT(reader.report_data().problems, ElementsAre(HasSubstr("starts/a.json")));
}

// --- The command
// -------------------------------------------------------------------------------------

int report(const fs::path& run, const fs::path& output = "", bool force = false) {
  Arguments arguments;
  arguments.force = force;
  arguments.command = Command::kReport;
  arguments.run_dir = run.string();
  arguments.output = output.string();
  return run_report(arguments);
}

TEST_F(ReadRun, TheCommandWritesThePageAndBringsTheLedgerUpToDate) {
  commit(0);
  EXPECT_EQ(report(directory_.root()), 0);
  EXPECT_THAT(read_file(directory_.report_file()), HasSubstr("1 of 16"));
  const auto ledger = read_file(directory_.run_file());
  EXPECT_TRUE(store::decode_ledger(ledger, plan_).segments[0]);
  EXPECT_EQ(report(directory_.root(), folder_.path() / "page.html"), 0);
  EXPECT_THAT(read_file(folder_.path() / "page.html"), HasSubstr("1 of 16"));
  EXPECT_EQ(read_file(directory_.run_file()), ledger) << "written anew, though nothing was new";
}

ErrorCode code(const fs::path& run, const fs::path& output) {
  try {
    report(run, output);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST_F(ReadRun, TheCommandReplacesAReportAndNothingElse) {
  commit(0);
  const fs::path page = folder_.path() / "page.html";
  EXPECT_EQ(report(directory_.root(), page), 0);
  EXPECT_EQ(report(directory_.root(), page), 0);
  const std::string other = "<!doctype html>\n<title>of somebody else</title>";
  for (const std::string& content : {std::string("a film"), std::string(), other}) {
    write_file(page, content);
    EXPECT_EQ(code(directory_.root(), page), ErrorCode::kUsage);
    EXPECT_EQ(read_file(page), content);
  }
  EXPECT_EQ(report(directory_.root(), page, true), 0);
  EXPECT_THAT(read_file(page), HasSubstr("1 of 16"));
}

TEST_F(ReadRun, TheCommandLeavesNothingBesideAFolderThatItIsGiven) {
  commit(0);
  EXPECT_EQ(code(directory_.root(), directory_.root()), ErrorCode::kUsage);
  EXPECT_FALSE(fs::exists(directory_.root().string() + ".part"));
  EXPECT_FALSE(fs::exists(directory_.run_file())) << "refused before anything is written";
}

TEST_F(ReadRun, TheCommandRefusesWhatIsNoRunAndWhatCannotBeWritten) {
  EXPECT_EQ(code(folder_.path(), ""), ErrorCode::kUsage);
  EXPECT_EQ(code(folder_.path() / "nothing", ""), ErrorCode::kUsage);
  EXPECT_EQ(code(directory_.root(), folder_.path() / "no" / "such" / "folder.html"),
            ErrorCode::kStorage);
  fs::remove(directory_.plan_file());
  EXPECT_EQ(code(directory_.root(), ""), ErrorCode::kStorage);
}

TEST(OwnCommand, IsThisProcess) {
  ASSERT_FALSE(own_command().empty());
  EXPECT_THAT(own_command().front(), HasSubstr("vsr_launcher_test"));
}

}  // namespace
}  // namespace vsr::launcher
