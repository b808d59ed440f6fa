// Films and segments whose bytes come from a ByteSource: nothing is at the path they are named by.
#include "vsr/base/byte_source.hpp"

#include "clips.hpp"
#include "media/segment_packets.hpp"
#include "vsr/base/file_bytes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

namespace vsr::media {
namespace {

using ::testing::HasSubstr;

// Gives a few bytes at a time, as a network may.
class Dribble : public ByteSource {
 public:
  Dribble(const std::filesystem::path& path, std::uint64_t& given, std::optional<Error> failure)
      : file_(FileBytes::to_read(path)), given_(given), failure_(std::move(failure)) {}

  std::uint64_t size() const override { return file_.size(); }

  std::size_t read(std::uint64_t offset, std::span<std::byte> into) override {
    if (failure_ && offset >= size() / 2) throw *failure_;
    const std::string bytes = file_.read(offset, std::min<std::size_t>(into.size(), 1'009));
    std::memcpy(into.data(), bytes.data(), bytes.size());
    given_ += bytes.size();
    return bytes.size();
  }

 private:
  FileBytes file_;
  std::uint64_t& given_;
  std::optional<Error> failure_;  // from the middle of the file on
};

class FromBytes : public ::testing::Test {
 protected:
  // Moves a film to where only `open_` finds it.
  void hide(const std::filesystem::path& path) {
    hidden_ = folder_.path() / "hidden";
    std::filesystem::rename(path, hidden_);
    open_ = [this] { return std::make_unique<Dribble>(hidden_, given_, failure_); };
  }

  test::TemporaryFolder folder_;
  std::filesystem::path hidden_;
  std::uint64_t given_ = 0;  // bytes
  std::optional<Error> failure_;
  OpenBytes open_;
};

struct Film {
  const char* file;
  bool interlaced;
  const char* options;
};

class FilmFromBytes : public FromBytes, public ::testing::WithParamInterface<Film> {};

TEST_P(FilmFromBytes, GivesTheFilesPicturesFromAnyPlace) {
  VSR_NEED_FFMPEG();
  const Film& film = GetParam();
  const auto path = test::make_clip(folder_.path() / film.file,
                                    {.interlaced = film.interlaced, .filters = "format=yuv420p"},
                                    film.options);
  Timeline timeline = plan_timeline(probe(path), {}).timeline;
  const std::vector<std::string> all = test::read_hashes(timeline, 0);
  ASSERT_EQ(all.size(), 60U);
  hide(path);
  timeline.open = open_;
  EXPECT_EQ(test::read_hashes(timeline, 0), all);
  for (const int first : {1, 11, 12, 13, 30, 37, 59}) {
    EXPECT_EQ(test::read_hashes(timeline, first, 1).at(0), all.at(static_cast<std::size_t>(first)))
        << "from frame " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Films,
    FilmFromBytes,
    ::testing::Values(Film{"a.mkv", false, "-c:v libx264 -g 12"},
                      Film{"a.mp4", false, "-c:v libx264 -g 12"},
                      Film{"a.ts", true, "-c:v mpeg2video -b:v 2M -g 12 -bf 2 -flags +ildct+ilme"},
                      Film{
                          "a.vob", true, "-c:v mpeg2video -b:v 2M -g 12 -bf 2 -flags +ildct+ilme"}),
    [](const auto& made) { return std::string(made.param.file).substr(2); });

TEST_F(FromBytes, AFilmIsNotReadWholeForItsEnd) {
  VSR_NEED_FFMPEG();
  const auto path =
      test::make_clip(folder_.path() / "a.mov", {.filters = "format=yuv422p10"}, "-c:v prores_ks");
  Timeline timeline = plan_timeline(probe(path), {}).timeline;
  hide(path);
  timeline.open = open_;
  test::read_hashes(timeline, 55);
  EXPECT_GT(given_, 0U);
  EXPECT_LT(given_, std::filesystem::file_size(hidden_) / 2);
}

TEST_F(FromBytes, WhatTheSourceThrowsIsWhatTheReaderThrows) {
  VSR_NEED_FFMPEG();
  for (const char* name : {"a.mkv", "a.mp4"}) {
    const auto path =
        test::make_clip(folder_.path() / name, {.filters = "format=yuv420p"}, "-c:v libx264 -g 12");
    Timeline timeline = plan_timeline(probe(path), {}).timeline;
    hide(path);
    timeline.open = open_;
    failure_ = Error(ErrorCode::kInterrupted, "stopped on the way");
    try {
      test::read_hashes(timeline, 0);
      ADD_FAILURE() << "no error of " << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
      EXPECT_THAT(error.what(), HasSubstr("stopped on the way"));
    }
    failure_.reset();
  }
}

TEST_F(FromBytes, AnotherSizeThanThePlannedIsRefused) {
  VSR_NEED_FFMPEG();
  const auto path =
      test::make_clip(folder_.path() / "a.mkv", {.filters = "format=yuv420p"}, "-c:v libx264");
  Timeline timeline = plan_timeline(probe(path), {}).timeline;
  hide(path);
  test::write_bytes(hidden_, test::read_bytes(hidden_) + "more");
  timeline.open = open_;
  EXPECT_THROW(test::read_hashes(timeline, 0), Error);
}

TEST_F(FromBytes, ASegmentsPacketsAreTheFiles) {
  VSR_NEED_FFMPEG();
  const auto path =
      test::make_clip(folder_.path() / "a.mov", {.filters = "format=yuv422p10"}, "-c:v prores_ks");
  const auto checksums = [&](const OpenBytes& open) {
    SegmentPackets packets(path, MezzanineCodec::kProres, 20, 30, {}, open);
    std::vector<std::uint32_t> sums;
    const PacketPtr packet = make_packet();
    while (packets.read(*packet)) {
      sums.push_back(packet_checksum({packet->data, static_cast<std::size_t>(packet->size)}));
    }
    return sums;
  };
  const auto wanted = checksums({});
  ASSERT_EQ(wanted.size(), 30U);
  hide(path);
  EXPECT_EQ(checksums(open_), wanted);
  // It is not the segment that is damaged.
  failure_ = Error(ErrorCode::kCluster, "rank 0 is silent");
  try {
    checksums(open_);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCluster);
    EXPECT_STREQ(error.what(), "rank 0 is silent");
  }
}

}  // namespace
}  // namespace vsr::media
