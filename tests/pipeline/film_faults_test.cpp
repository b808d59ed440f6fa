// What the film lacked is told with the segment whose pictures it is in.
#include "fake_upscaler.hpp"
#include "gray_film.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace vsr::pipeline {
namespace {

using test::GrayFilm;
using test::small_options;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Overwrites the packets of pictures [first, end), which all stand alone, with what is no picture.
void ruin_pictures(const std::filesystem::path& film, int first, int end) {
  const auto packets = vsr::test::run_process({"ffprobe",
                                               "-v",
                                               "error",
                                               "-show_entries",
                                               "packet=pos,size",
                                               "-of",
                                               "csv=p=0",
                                               film.string()});
  std::istringstream lines(packets.output);
  std::fstream file(film, std::ios::binary | std::ios::in | std::ios::out);
  int number = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    if (number < first || number >= end) continue;
    const std::size_t comma = line.find(',');
    file.seekp(static_cast<std::streamoff>(std::stoul(line.substr(comma + 1))));
    file << std::string(std::stoul(line.substr(0, comma)), '\xff');
  }
}

class FilmFaults : public ::testing::Test {
 protected:
  // A film whose container says where its packets are.
  void SetUp() override {
    const auto copied = vsr::test::run_process({"ffmpeg",
                                                "-v",
                                                "error",
                                                "-i",
                                                gray_.path().string(),
                                                "-c",
                                                "ffv1",
                                                "-g",
                                                "1",
                                                path_.string()});
    ASSERT_EQ(copied.status, 0) << copied.output;
    timeline_ = media::plan_timeline(media::probe(path_), {}).timeline;
  }

  std::vector<std::string> events_of(SegmentPipeline& pipeline, const Segment& segment) {
    return pipeline.run(segment, gray_.folder() / "out.mkv", stop_, [](std::int64_t) {}).events;
  }

  GrayFilm gray_{80};
  std::filesystem::path path_ = gray_.folder() / "film.mov";
  media::Timeline timeline_;
  test::FakeUpscaler upscaler_{gray_.timeline().format};
  std::atomic<int> stop_ = 0;
};

TEST_F(FilmFaults, StandInsAreEventsOfEverySegmentThatShowsThem) {
  ruin_pictures(path_, 39, 40);  // in the halo of the second and the core of the first
  SegmentPipeline pipeline(timeline_, upscaler_, small_options());
  const auto segments = plan_segments(80, {40, 3});
  const auto told = ElementsAre(
      "frame 39: picture 39 (at 1.56 s) of the source could not be decoded, the one before stands "
      "in");
  EXPECT_THAT(events_of(pipeline, segments[0]), told);
  EXPECT_THAT(events_of(pipeline, segments[1]), told);
  const Segment alone{.index = 2, .core = {50, 80}, .input = {47, 80}};
  EXPECT_THAT(events_of(pipeline, alone), IsEmpty());
}

TEST_F(FilmFaults, ManyAreCountedAfterTheTenth) {
  ruin_pictures(path_, 20, 45);
  SegmentPipeline pipeline(timeline_, upscaler_, small_options());
  const auto events = events_of(pipeline, plan_segments(80, {80, 3}).front());
  ASSERT_THAT(events, SizeIs(11));
  EXPECT_THAT(events[0], HasSubstr("frame 20:"));
  EXPECT_THAT(events[9], HasSubstr("frame 29:"));
  EXPECT_THAT(events[10], HasSubstr("and 15 more"));
}

}  // namespace
}  // namespace vsr::pipeline
