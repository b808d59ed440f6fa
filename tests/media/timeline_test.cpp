#include "vsr/media/timeline.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/sha256.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace vsr::media {
namespace {

Timeline example() {
  Timeline timeline;
  timeline.source = "films/a film.mkv";
  timeline.source_bytes = 123'456'789'012;
  timeline.filters = "bwdif,crop=1024:432:0:72";
  timeline.rate = Rational(24000, 1001);
  timeline.format = {1024, 432, ColourModel::kYuv, ChromaSubsampling::k422, 10};
  timeline.colour = {Matrix::kBt2020Ncl, true, ChromaSiting::kTopLeft, 9, 16};
  timeline.sample_aspect = Rational(64, 45);
  timeline.start_time_s = Rational(-7, 90000);
  timeline.source_picture = {3, 3, 4, 6};
  timeline.source_time_base = Rational(1, 90000);
  timeline.source_pts = {-3600, 0, 3600, 7200, 10800, 14400, std::int64_t{1} << 40};
  timeline.seek_points = {0, 5};
  timeline.video_stream = 2;
  timeline.source_colour = {Matrix::kBt601, false, ChromaSiting::kLeft, 5, 6};
  timeline.source_sample_aspect = Rational(16, 11);
  timeline.preroll_pictures = 1;
  timeline.seekable = true;
  timeline.own_mezzanine = true;
  return timeline;
}

// serialize() with a right digest over changed content.
std::string sealed(const std::string& content) { return content + sha256_of(content); }

std::string content_of(const Timeline& timeline) {
  std::string bytes = timeline.serialize();
  bytes.resize(bytes.size() - 64);
  return bytes;
}

TEST(TimelineBytes, EveryFieldSurvives) {
  const Timeline was = example();
  const Timeline is = Timeline::deserialize(was.serialize());
  EXPECT_EQ(is.source, was.source);
  EXPECT_EQ(is.source_bytes, was.source_bytes);
  EXPECT_EQ(is.filters, was.filters);
  EXPECT_EQ(is.rate, was.rate);
  EXPECT_EQ(is.format, was.format);
  EXPECT_EQ(is.colour, was.colour);
  EXPECT_EQ(is.sample_aspect, was.sample_aspect);
  EXPECT_EQ(is.start_time_s, was.start_time_s);
  EXPECT_EQ(is.source_picture, was.source_picture);
  EXPECT_EQ(is.source_time_base, was.source_time_base);
  EXPECT_EQ(is.source_pts, was.source_pts);
  EXPECT_EQ(is.seek_points, was.seek_points);
  EXPECT_EQ(is.video_stream, was.video_stream);
  EXPECT_EQ(is.source_colour, was.source_colour);
  EXPECT_EQ(is.source_sample_aspect, was.source_sample_aspect);
  EXPECT_EQ(is.preroll_pictures, was.preroll_pictures);
  EXPECT_EQ(is.seekable, was.seekable);
  EXPECT_EQ(is.own_mezzanine, was.own_mezzanine);
}

TEST(TimelineBytes, AnOlderVersionsTimelineIsRead) {
  std::string content = content_of(example());
  content[12] = 1;     // the version, behind the mark and its length
  content.pop_back();  // own_mezzanine, which came with version 2
  const Timeline is = Timeline::deserialize(sealed(content));
  EXPECT_TRUE(is.seekable);
  EXPECT_FALSE(is.own_mezzanine);
  EXPECT_EQ(is.source_pts, example().source_pts);
}

TEST(TimelineBytes, ALongFilmStaysSmall) {
  Timeline timeline = example();
  timeline.source_picture.clear();
  timeline.source_pts.clear();
  timeline.seek_points.clear();
  for (std::int64_t i = 0; i < 150'000; ++i) {
    timeline.source_picture.push_back(i);
    timeline.source_pts.push_back(i * 3600);
    if (i % 12 == 0) timeline.seek_points.push_back(i);
  }
  EXPECT_LT(timeline.serialize().size(), 500'000U);
}

TEST(TimelineBytes, CutAnywhereIsAStorageError) {
  const std::string bytes = example().serialize();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(Timeline::deserialize(bytes.substr(0, size)), Error) << size;
  }
}

TEST(TimelineBytes, AnyFlippedBitIsAStorageError) {
  const std::string bytes = example().serialize();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string wrong = bytes;
    wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << (bit % 8)));
    try {
      Timeline::deserialize(wrong);
      FAIL() << bit;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kStorage);
    }
  }
}

// With a right digest, so that the fields' own checks stand alone: no crash, no huge allocation.
TEST(TimelineBytes, ForgedContentIsRefusedOrHarmless) {
  const std::string content = content_of(example());
  std::mt19937 random(3);
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string forged = content;
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < changes; ++i) {
      forged[12 + random() % (forged.size() - 12)] = static_cast<char>(random());
    }
    if (random() % 4 == 0) forged.resize(random() % forged.size());
    try {
      const Timeline timeline = Timeline::deserialize(sealed(forged));
      ++read;
      ASSERT_TRUE(timeline.source_pts.empty() || timeline.source_picture.empty() ||
                  timeline.source_picture.back() <
                      static_cast<std::int64_t>(timeline.source_pts.size()));
      ASSERT_TRUE(timeline.source_picture.empty() || timeline.source_picture.front() >= 0);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kStorage) << error.what();
    }
  }
  EXPECT_GT(read, 0);
}

TEST(TimelineBytes, OtherThingsAreRefused) {
  EXPECT_THROW(Timeline::deserialize(""), Error);
  EXPECT_THROW(Timeline::deserialize(std::string(1000, 'x')), Error);
  EXPECT_THROW(Timeline::deserialize(sealed("\x03"
                                            "abc")),
               Error);
}

}  // namespace
}  // namespace vsr::media
