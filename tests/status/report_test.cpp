#include "vsr/status/report.hpp"

#include "report_text.hpp"
#include "vsr/base/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace vsr::status {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kHostile = "</script><img src=x onerror=alert(1)>\" onload='x'";

// `segments` segments, all upscaled and encoded in turn by four ranks.
ReportData a_run(int segments = 4, std::int64_t frames = 50) {
  ReportData data;
  data.source = {"film.mkv", 1e9};
  data.run_dir = "/runs/film";
  data.made = "2026-01-02T05:00:00Z";
  store::RunLedger& run = data.run;
  run.plan.timeline_frames = segments * frames;
  run.plan.picture.width = 4096;
  run.plan.picture.height = 1728;
  run.in_chunks = true;
  for (int i = 0; i < segments; ++i) {
    const FrameRange core{i * frames, (i + 1) * frames};
    run.plan.segments.push_back({i, core, core});
    store::LedgerPiece piece;
    piece.segment = run.plan.segments.back();
    piece.rank = i % 4;
    piece.host = "pod-a";
    piece.started = format("2026-01-02T{:02d}:{:02d}:00Z", 3 + i / 240 % 20, i / 4 % 60);
    piece.wall_s = 60;
    piece.bytes = 2'000'000'000;
    piece.stage_s = {{"decode", 10}, {"network", 55}, {"encode", 20}};
    for (std::int64_t frame = core.begin; frame < core.end; ++frame) {
      const double value = std::fmod(static_cast<double>(frame) * 0.7548776662, 1.0);
      piece.measures.back_projection_db.push_back(static_cast<float>(36 + 4 * value));
      piece.measures.sharpness_gain.push_back(static_cast<float>(1.5 + value));
      piece.measures.luma_mean.push_back(static_cast<float>(value));
    }
    run.segments.emplace_back(piece);
    piece.stage_s = {{"encode", 100}};
    run.chunks.emplace_back(piece);
    if (i > 0) run.seams.push_back({i, core.begin, 48.0, 3, 3, false});
  }
  store::StartFile start;
  start.command = {"vsr-dist", "my job.ini"};
  start.launcher = {"mpirun", "-n", "4", "vsr-dist", "my job.ini"};
  start.directory = "/films";
  start.begun = "2026-01-02T03:00:00Z";
  start.ended = start.seen = "2026-01-02T04:00:00Z";
  start.exit_status = 0;
  for (int rank = 0; rank < 4; ++rank)
    start.ranks.push_back({rank, "pod-a", "NVIDIA H200", 16, 1, false});
  run.starts = {{"first", start}};
  data.films = {{"film_pitchOK.mkv", 5e9}};
  return data;
}

// Where in the page that stands what report.js is given: begin and length.
std::pair<std::size_t, std::size_t> place_of_island(const std::string& page) {
  const std::string mark = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(mark) + mark.size();
  return {begin, page.find("</script>", begin) - begin};
}

nlohmann::json island(const std::string& page) {
  const auto [begin, length] = place_of_island(page);
  return nlohmann::json::parse(page.substr(begin, length));
}

TEST(Report, TellsOfARunThatWentWell) {
  const std::string page = report_html(a_run());
  EXPECT_THAT(page, HasSubstr("Nothing went wrong that is known of."));
  EXPECT_THAT(page, HasSubstr("200 frames (8 s at 25 frames a second), made into 1 film"));
  EXPECT_THAT(page, HasSubstr("cd /films\nmpirun -n 4 vsr-dist &#39;my job.ini&#39;"));
  EXPECT_THAT(page, HasSubstr("film_pitchOK.mkv"));
  EXPECT_THAT(page, Not(HasSubstr("<!--")));
  EXPECT_EQ(island(page).at("segments").size(), 4U);
  EXPECT_EQ(island(page).at("frames"), 200);
}

TEST(Report, NeedsNothingFromElsewhere) {
  const std::string page = report_html(a_run());
  for (const char* from : {"src=\"http", "href=\"http", "url(http", "@import", "src=\"/"}) {
    EXPECT_THAT(page, Not(HasSubstr(from)));
  }
}

TEST(Report, NoNameOrTextBecomesMarkup) {
  ReportData data = a_run();
  data.source.name = kHostile;
  data.run_dir = kHostile;
  data.problems = {kHostile};
  data.films = {{kHostile, 1}};
  data.run.job = {{"input.file", kHostile}, {kHostile, "<!-- data -->"}};
  data.run.plan.identity = {{"input", kHostile}};
  data.run.segments[0]->host = kHostile;
  data.run.segments[0]->device = kHostile;
  data.run.segments[0]->events = {kHostile};
  store::StartFile& start = data.run.starts[0].second;
  start.command = start.launcher = {kHostile, "<!-- content -->"};
  start.directory = start.host = start.message = kHostile;
  start.versions = {kHostile};
  start.ranks[0].host = start.ranks[0].gpu = kHostile;
  start.events = {
      {kHostile, kHostile, 0, kHostile},
      {"2026-01-02T03:30:00Z", "warning", 0, "cluster: segment 1 failed on rank 2: " + kHostile}};
  Preview preview{3, kHostile, "b", "a", "", ""};
  data.worst = {{0, 20.0, preview}};
  const std::string page = report_html(data);
  EXPECT_THAT(page, Not(HasSubstr("<img src=x")));
  const auto [begin, length] = place_of_island(page);
  EXPECT_THAT(std::string(page).erase(begin, length), Not(HasSubstr("onload='x'")));
  EXPECT_THAT(page, Not(HasSubstr("<!-- ")));
  EXPECT_EQ(island(page).at("segments").at(0).at(4), kHostile);
  EXPECT_EQ(island(page).at("failures").at(0).at("reason"), kHostile);
}

TEST(Report, LineSeparatorsOfUnicodeDoNotStandInTheData) {
  ReportData data = a_run();
  data.run.segments[0]->host = "a\u2028b";
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("a\\u2028b"));
  EXPECT_EQ(island(page).at("segments").at(0).at(4), "a\u2028b");
}

TEST(Report, NamesWhatIsWorthALook) {
  ReportData data = a_run();
  data.films.clear();
  data.problems = {"segment 3: its record cannot be used (damaged)"};
  data.run.segments[3].reset();
  data.run.seams[0].may_be_seen = true;
  data.run.segments[1]->measures.back_projection_db[7] = 12.5F;
  data.run.segments[2]->attempt = 2;
  data.run.segments[2]->events = {"out of memory: window 96 -> 48"};
  store::StartFile& start = data.run.starts[0].second;
  start.ended.clear();
  start.exit_status = -1;
  start.events = {{"2026-01-02T03:10:00Z",
                   "warning",
                   0,
                   "cluster: segment 2 failed on rank 1, which is given no more: GPU is lost"}};
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("The films are not made."));
  EXPECT_THAT(page, HasSubstr("3 of 4"));
  EXPECT_THAT(page, HasSubstr("segment 3: its record cannot be used (damaged)"));
  EXPECT_THAT(page, HasSubstr("1 place between segments may be seen"));
  EXPECT_THAT(page, HasSubstr("1 frame is under 25 dB"));
  EXPECT_THAT(page, HasSubstr("frame 57 with 12.5 dB"));
  EXPECT_THAT(page, HasSubstr("No end of the last start is known"));
  EXPECT_THAT(page, HasSubstr("GPU is lost"));
  EXPECT_THAT(page, HasSubstr("window 96 -&gt; 48"));
  EXPECT_EQ(island(page).at("failures").at(0).at("segment"), 2);
  EXPECT_THAT(page, Not(HasSubstr("Nothing went wrong")));
}

TEST(Report, FailuresAreWhatTheCoordinatorSaysOfThem) {
  ReportData data = a_run();
  const std::string why(60'000, 'x');
  auto& events = data.run.starts[0].second.events;
  for (const char* text : {"cluster: the chunk of segment 12 failed on rank 3",
                           "cluster: segment 99999999999 failed on rank 1: too large",
                           "cluster: segment -1 failed on rank 1: less than nothing",
                           "cluster: segment 1 failed",
                           "store: segment 1 failed on rank 1"}) {
    events.push_back({"2026-01-02T03:10:00Z", "warning", 0, text});
  }
  events.push_back({"2026-01-02T03:10:01Z",
                    "error",
                    0,
                    "segment 2 failed on rank 1, to be tried again: " + why});
  const auto failures = island(report_html(data)).at("failures");
  ASSERT_EQ(failures.size(), 2U);
  EXPECT_EQ(failures[0].at("segment"), 12);
  EXPECT_EQ(failures[0].at("chunk"), true);
  EXPECT_EQ(failures[0].at("rank"), 3);
  EXPECT_EQ(failures[0].at("reason"), "");
  EXPECT_EQ(failures[1].at("segment"), 2);
  EXPECT_EQ(failures[1].at("chunk"), false);
  EXPECT_EQ(failures[1].at("reason"), "to be tried again: " + why);
}

// A second job joins on the same host: both have a rank 0.
TEST(Report, JobsThatShareARunHaveRowsAndRanksOfTheirOwn) {
  ReportData data = a_run(8);
  store::RunLedger& run = data.run;
  store::StartFile& first = run.starts[0].second;
  first.begun = "2026-01-02T03:00:00Z";
  first.ended = "2026-01-02T03:10:00Z";
  store::StartFile second = first;
  second.begun = "2026-01-02T03:02:00Z";
  second.ended = "2026-01-02T03:20:00Z";
  second.job_name = "pod-a-7";
  second.ranks.resize(1);
  run.starts.emplace_back("second", second);
  const auto made = [&](std::size_t piece, const char* started, double wall_s) {
    run.segments[piece]->rank = 0;
    run.segments[piece]->started = started;
    run.segments[piece]->wall_s = wall_s;
  };
  made(0, "2026-01-02T03:01:00Z", 120);  // before the second began
  made(1, "2026-01-02T03:02:10Z", 100);  // while the first was at that
  made(2, "2026-01-02T03:03:00Z", 60);
  made(3, "2026-01-02T03:09:30Z", 90);  // beyond the end of the first
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("by 5 ranks, 2 starts"));
  const auto page_data = island(page);
  const auto& rows = page_data.at("segments");
  const std::vector<int> makers = {0, 1, 0, 1};
  for (std::size_t i = 0; i < makers.size(); ++i) EXPECT_EQ(rows.at(i).at(8), makers[i]) << i;
  EXPECT_EQ(page_data.at("starts").at(0).at("shares"), true);
  // One after the other they are no more than the larger one.
  run.starts[1].second.begun = "2026-01-02T03:10:00Z";
  EXPECT_THAT(report_html(data), HasSubstr("by 4 ranks, 2 starts"));
}

TEST(Report, AStartThatWasKilledWorkedAsLongAsWhatItCommitted) {
  ReportData data = a_run();
  store::StartFile& killed = data.run.starts[0].second;
  killed.begun = "2026-01-02T03:00:00Z";
  killed.seen = "2026-01-02T03:00:20Z";
  killed.ended.clear();
  killed.exit_status = -1;
  for (auto& record : data.run.segments) record->started = "2026-01-02T03:00:10Z";
  for (auto& record : data.run.chunks) record->started = "2026-01-02T03:00:15Z";
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("it was at work at 2026-01-02T03:01:15Z"));
  EXPECT_THAT(page, HasSubstr("none known; at work at 2026-01-02T03:01:15Z"));
  const auto begun = *seconds_of(killed.begun);
  EXPECT_EQ(island(page).at("starts").at(0).at("end"), begun + 75);
  // What the next start made does not lengthen it.
  store::StartFile next = killed;
  next.begun = "2026-01-02T03:00:40Z";
  next.ended = next.seen = "2026-01-02T03:05:00Z";
  data.run.starts.emplace_back("next", next);
  for (auto& record : data.run.segments) record->started = "2026-01-02T03:00:50Z";
  for (auto& record : data.run.chunks) record->started = "2026-01-02T03:02:00Z";
  EXPECT_EQ(island(report_html(data)).at("starts").at(0).at("end"), begun + 20);
}

TEST(Report, CountsOneProcessorAsOne) {
  ReportData data = a_run();
  data.run.starts[0].second.ranks[0].cpus = 1;
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("(NVIDIA H200, 1 processor)"));
  EXPECT_THAT(page, HasSubstr("(NVIDIA H200, 16 processors)"));
}

TEST(Report, OfARunThatMeasuredNothingSaysSo) {
  ReportData data = a_run();
  data.run.starts.clear();
  for (auto& record : data.run.segments) record->measures = {};
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("Nothing was measured of these frames"));
  EXPECT_THAT(page, HasSubstr("No start left its file"));
  EXPECT_TRUE(island(page).at("back_projection_db").is_null());
}

TEST(Report, OfARunWithoutASegmentIsWhole) {
  ReportData data;
  data.run.plan.timeline_frames = 10;
  data.run.plan.segments = {{0, {0, 10}, {0, 10}}};
  data.run.segments.resize(1);
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("0 of 1"));
  EXPECT_THAT(page, HasSubstr("</html>"));
}

TEST(Report, ValuesOfFramesComeBackWithinAStep) {
  const ReportData data = a_run();
  const auto packed = island(report_html(data)).at("back_projection_db");
  const double least = packed.at("least");
  const double most = packed.at("most");
  EXPECT_GE(least, 36);
  EXPECT_LE(most, 40);
  EXPECT_EQ(packed.at("values").get<std::string>().size(), (25U + 2 * 200 + 2) / 3 * 4);
}

TEST(Report, OfOneFrameInFourMeasuredKeepsTheseAlone) {
  ReportData data = a_run();
  for (auto& record : data.run.segments) {
    for (std::size_t i = 0; i < record->measures.back_projection_db.size(); ++i) {
      if (i % 4 != 0) record->measures.back_projection_db[i] = std::nanf("");
    }
  }
  const std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("52 frames were measured."));
  EXPECT_EQ(island(page).at("back_projection_db").at("values").get<std::string>().size(),
            (25U + 2 * 52 + 2) / 3 * 4);
  EXPECT_THAT(page, HasSubstr("Nothing went wrong"));
}

TEST(Report, ThresholdIsThatOfTheRun) {
  ReportData data = a_run();
  data.run.job["quality.warn_below"] = "39";
  EXPECT_THAT(report_html(data), HasSubstr("under 39 dB"));
  data.run.job["quality.warn_below"] = "0";
  EXPECT_THAT(report_html(data), Not(HasSubstr("is under")));
}

// The largest previews that there are.
TEST(Report, OfThreeHoursIsBelowFiveMegabytesAndShowsTheWorst) {
  ReportData data = a_run(600, 450);
  const std::string jpeg(120'000, 'x');
  for (int i = 0; i < 12; ++i) {
    data.worst.push_back({i, 20.0 + i, {i, "worst", jpeg, jpeg, jpeg, jpeg}});
  }
  const auto begin = std::chrono::steady_clock::now();
  const std::string page = report_html(data);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  std::printf("%.2f MB in %.2f s\n", static_cast<double>(page.size()) / 1e6, wall.count());
  EXPECT_LT(page.size(), kMostPageBytes);
  EXPECT_THAT(page, HasSubstr("alt=\"Frame 0 (0:00:00.0) after\""));
  EXPECT_THAT(page, HasSubstr("pictures are not on this page"));
}

// What a JPEG file of this size begins with: APP0 of four bytes, then a baseline frame.
std::string jpeg(char width, char height) {
  const std::string begin("\xff\xd8\xff\xe0\x00\x04hi\xff\xc0\x00\x0b\x08\x00", 14);
  return begin + height + std::string(1, '\0') + width + "\x01";
}

TEST(Report, ShowsFramesUnderTheThresholdOrElseTheThreeLowest) {
  ReportData data = a_run();
  for (int i = 0; i < 5; ++i) {
    data.worst.push_back({i, 30.0 + i, {7 * i + 1, "worst", "b", "a", "", ""}});
  }
  std::string page = report_html(data);
  EXPECT_THAT(page, HasSubstr("Lowest frames"));
  EXPECT_THAT(page, Not(HasSubstr("Worst frames")));
  EXPECT_EQ(island(page).at("worst"), nlohmann::json({1, 8, 15}));
  EXPECT_THAT(page, Not(HasSubstr("Frame 22 ")));
  data.worst[0].back_projection_db = 20;
  data.run.segments[0]->measures.back_projection_db[1] = 20;
  page = report_html(data);
  EXPECT_THAT(page, HasSubstr("Worst frames"));
  EXPECT_EQ(island(page).at("worst"), nlohmann::json({1}));
}

TEST(Report, LeavesOutADetailThatIsTheWholePicture) {
  ReportData data = a_run();
  const std::string whole = jpeg(64, 32);
  data.middle = {{0, 40.0, {3, "middle", whole, whole, whole, whole}}};
  EXPECT_THAT(report_html(data), HasSubstr("after<"));
  EXPECT_THAT(report_html(data), Not(HasSubstr("after, detail")));
  const std::string part = jpeg(32, 32);
  data.middle = {{0, 40.0, {3, "middle", whole, whole, part, part}}};
  EXPECT_THAT(report_html(data), HasSubstr("after, detail"));
}

TEST(ReportText, SizeOfAJpegIsThatOfItsFrame) {
  EXPECT_EQ(jpeg_size(jpeg(64, 32)), std::pair(64, 32));
  const std::string whole = jpeg(64, 32);
  for (std::size_t bytes = 0; bytes + 1 < whole.size(); ++bytes) {
    EXPECT_FALSE(jpeg_size(whole.substr(0, bytes))) << bytes;
  }
}

TEST(ReportText, Base64IsThatOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe"), "//4=");
}

TEST(ReportText, TimesAreSecondsSince1970) {
  EXPECT_EQ(seconds_of("1970-01-02T00:00:01Z"), 86401);
  EXPECT_EQ(seconds_of("2026-01-02T03:04:05Z"), 1767323045);
  EXPECT_FALSE(seconds_of(""));
  EXPECT_FALSE(seconds_of("2026-13-02T03:04:05Z"));
  EXPECT_EQ(utc_text(1767323045.9), "2026-01-02T03:04:05Z");
}

TEST(ReportText, WordsForTheShellAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(shell_quoted("--final.height=1440"), "--final.height=1440");
  EXPECT_EQ(shell_quoted("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(shell_quoted(""), "''");
}

}  // namespace
}  // namespace vsr::status
