// Films that cannot be read, or end before their time, after they were planned: no frame may be
// made up for that.
#include "clips.hpp"
#include "failing_reads.hpp"
#include "vsr/base/error.hpp"
#include "vsr/media/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <ostream>

namespace vsr::media {
namespace {

namespace fs = std::filesystem;
using test::FailingReads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Property;
using ::testing::SizeIs;

struct Container {
  const char* name;
  const char* file;
  const char* options;
  bool counted = false;  // pictures carry no times
};

std::ostream& operator<<(std::ostream& out, const Container& c) { return out << c.name; }

// The pictures that come before reading ends, and the error it ends with.
struct Reading {
  std::vector<std::string> hashes;
  std::optional<Error> error;
};

Reading read_on(FrameReader& reader) {
  Reading reading;
  PictureView picture;
  try {
    while (reader.read(picture)) reading.hashes.push_back(test::hash_of(picture));
  } catch (const Error& error) {
    reading.error = error;
  }
  return reading;
}

Reading read_all(const Timeline& timeline) {
  try {
    FrameReader reader(timeline, 0, 1);
    return read_on(reader);
  } catch (const Error& error) {
    return {.hashes = {}, .error = error};
  }
}

class UnreadableFilm : public ::testing::TestWithParam<Container> {
 protected:
  void SetUp() override {
    VSR_NEED_FFMPEG();
    film_ = test::make_clip(folder_.path() / GetParam().file,
                            {.frames = 100, .width = 240, .filters = "format=yuv420p"},
                            GetParam().options);
    timeline_ = planned();
    all_ = read_all(timeline_).hashes;
    ASSERT_THAT(all_, SizeIs(100));
  }

  Timeline planned() const {
    TimelineOptions options;
    if (GetParam().counted) options.mezzanine = TimelineOptions::Mezzanine::kNever;
    return plan_timeline(probe(film_), options).timeline;
  }

  // `reading` gave right pictures only, not all, and ended with an error that names the film.
  void expect_cut_short(const Reading& reading, ErrorCode code, const char* words) const {
    ASSERT_TRUE(reading.error) << reading.hashes.size() << " pictures came";
    EXPECT_EQ(reading.error->code(), code) << reading.error->what();
    EXPECT_THAT(reading.error->what(),
                AllOf(HasSubstr(film_.string()), HasSubstr(words), Not(HasSubstr("\n"))));
    ASSERT_LT(reading.hashes.size(), all_.size());
    EXPECT_TRUE(std::equal(reading.hashes.begin(), reading.hashes.end(), all_.begin()));
  }

  test::TemporaryFolder folder_;
  fs::path film_;
  Timeline timeline_;
  std::vector<std::string> all_;
};

TEST_P(UnreadableFilm, FailedReadIsAStorageErrorAtOnceAndGoesAwayWithItsCause) {
  {
    const FailingReads failing(film_, fs::file_size(film_) / 2);
    const Reading reading = read_all(timeline_);
    expect_cut_short(reading, ErrorCode::kStorage, "Input/output error");
  }
  EXPECT_EQ(read_all(timeline_).hashes, all_);
}

TEST_P(UnreadableFilm, FailedReadEndsPlanningInsteadOfTheFilm) {
  for (const double share : {0.0, 0.5, 0.95}) {
    const auto bytes = static_cast<double>(fs::file_size(film_));
    const FailingReads failing(film_, static_cast<std::uint64_t>(share * bytes));
    EXPECT_THAT([this] { planned(); },
                ::testing::Throws<Error>(Property(&Error::code, ErrorCode::kStorage)))
        << share;
  }
}

TEST_P(UnreadableFilm, CutWhileItIsReadIsAnInputError) {
  FrameReader reader(timeline_, 0, 1);
  PictureView picture;
  ASSERT_TRUE(reader.read(picture));
  fs::resize_file(film_, fs::file_size(film_) * 3 / 4);
  Reading reading = read_on(reader);
  reading.hashes.insert(reading.hashes.begin(), all_.front());
  expect_cut_short(reading, ErrorCode::kInput, "frame ");
}

TEST_P(UnreadableFilm, EndsBeforeThePlannedPictureIsAnInputError) {
  // The same film but shorter, whatever its size.
  test::make_clip(
      film_, {.frames = 80, .width = 240, .filters = "format=yuv420p"}, GetParam().options);
  timeline_.source_bytes = 0;
  const Reading reading = read_all(timeline_);
  ASSERT_TRUE(reading.error) << reading.hashes.size() << " pictures came";
  EXPECT_EQ(reading.error->code(), ErrorCode::kInput) << reading.error->what();
  EXPECT_THAT(reading.error->what(),
              AllOf(HasSubstr(film_.string()), HasSubstr("frame "), HasSubstr("picture 80")));
  EXPECT_LE(reading.hashes.size(), 80U);
}

INSTANTIATE_TEST_SUITE_P(
    Containers,
    UnreadableFilm,
    ::testing::Values(
        Container{"H264Mkv", "a.mkv", "-c:v libx264 -x264-params keyint=12:scenecut=0 -crf 5"},
        Container{"H264Mp4", "a.mp4", "-c:v libx264 -x264-params keyint=12:scenecut=0 -crf 5"},
        Container{"ProresMov", "a.mov", "-c:v prores_ks"},
        Container{"Mpeg2Ts", "a.ts", "-c:v mpeg2video -q:v 2 -g 12 -bf 2"},
        Container{"Mpeg2Vob", "a.vob", "-c:v mpeg2video -q:v 2 -g 12 -bf 2"},
        Container{"Mpeg4Avi", "a.avi", "-c:v mpeg4 -q:v 2"},
        Container{"Mpeg2Bare", "a.m2v", "-c:v mpeg2video -q:v 2 -g 12 -bf 2", true}),
    [](const auto& parameter) { return parameter.param.name; });

class UnreadableImages : public ::testing::Test {
 protected:
  void SetUp() override {
    VSR_NEED_FFMPEG();
    test::make_clip(folder_.path() / "%03d.png", {.frames = 160, .width = 64, .height = 48}, "");
    timeline_ = plan_timeline(probe(folder_.path() / "%03d.png"), {}).timeline;
    all_ = read_all(timeline_).hashes;
    ASSERT_THAT(all_, SizeIs(160));
  }

  void expect_149_and_an_error(ErrorCode code) const {
    const Reading reading = read_all(timeline_);
    ASSERT_TRUE(reading.error) << reading.hashes.size() << " pictures came";
    EXPECT_EQ(reading.error->code(), code) << reading.error->what();
    EXPECT_LE(reading.hashes.size(), 149U);
  }

  test::TemporaryFolder folder_;
  Timeline timeline_;
  std::vector<std::string> all_;
};

TEST_F(UnreadableImages, FailedReadIsAStorageErrorEvenInTheMiddleOfAPicture) {
  const fs::path picture = folder_.path() / "150.png";
  for (const std::uintmax_t from : {std::uintmax_t{0}, fs::file_size(picture) - 10}) {
    const FailingReads failing(picture, from);
    expect_149_and_an_error(ErrorCode::kStorage);
  }
  EXPECT_EQ(read_all(timeline_).hashes, all_);
}

TEST_F(UnreadableImages, PictureThatIsGoneOrEmptyIsAnError) {
  // After the reader has looked at the folder, and at the first five seconds.
  FrameReader reader(timeline_, 0, 1);
  fs::resize_file(folder_.path() / "150.png", 0);
  Reading reading = read_on(reader);
  ASSERT_TRUE(reading.error) << reading.hashes.size() << " pictures came";
  EXPECT_EQ(reading.error->code(), ErrorCode::kInput) << reading.error->what();
  EXPECT_EQ(reading.hashes.size(), 149U);
  EXPECT_THAT(reading.error->what(), HasSubstr("picture 149"));

  timeline_.source_bytes = 0;
  FrameReader again(timeline_, 0, 1);
  fs::remove(folder_.path() / "150.png");
  reading = read_on(again);
  ASSERT_TRUE(reading.error) << reading.hashes.size() << " pictures came";
  EXPECT_EQ(reading.error->code(), ErrorCode::kStorage) << reading.error->what();
}

}  // namespace
}  // namespace vsr::media
