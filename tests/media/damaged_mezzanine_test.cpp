// The lossless copy of a film, of which every bit must be right: damage is never concealed.
#include "clips.hpp"
#include "media/mezzanine_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/media/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace vsr::media {
namespace {

namespace fs = std::filesystem;
using test::read_bytes;
using test::write_bytes;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class DamagedMezzanine : public ::testing::Test {
 protected:
  void SetUp() override {
    VSR_NEED_FFMPEG();
    film_ = test::make_clip(folder_.path() / "film.mkv",
                            {.frames = 12, .filters = "format=yuv420p"},
                            "-c:v libx264 -x264-params keyint=6");
    timeline_ = made();
    whole_ = read_bytes(path());
    all_ = test::read_hashes(timeline_, 0);
    ASSERT_EQ(all_.size(), 12U);
  }

  fs::path path() const { return folder_.path() / "timeline.mkv"; }

  Timeline made() const { return write_mezzanine(probe(film_), {}, path(), {}); }

  void expect_refused(const char* why) const {
    for (const int first : {0, 8}) {
      try {
        test::read_hashes(timeline_, first);
        ADD_FAILURE() << why << ": nothing was noticed";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kStorage) << error.what();
        EXPECT_THAT(error.what(),
                    AllOf(HasSubstr(path().string()),
                          HasSubstr("lossless copy"),
                          HasSubstr("--fresh"),
                          Not(HasSubstr("\n"))));
      }
    }
  }

  test::TemporaryFolder folder_;
  fs::path film_;
  Timeline timeline_;
  std::string whole_;
  std::vector<std::string> all_;
};

TEST_F(DamagedMezzanine, FiveFlippedBytesInAPicture) {
  std::string bytes = whole_;
  for (std::size_t i = 0; i < 5; ++i) {
    bytes[bytes.size() * 9 / 10 + 100 * i] =
        static_cast<char>(bytes[bytes.size() * 9 / 10 + 100 * i] ^ 0x41);
  }
  write_bytes(path(), bytes);
  expect_refused("flipped bytes");
}

// Wherever it is, the pictures are right or there is an error.
TEST_F(DamagedMezzanine, AFlippedBitIsFoundOrHarmless) {
  std::mt19937 random(11);
  int found = 0;
  constexpr int kRounds = 150;
  for (int round = 0; round < kRounds; ++round) {
    // Headers, which are small, get their share.
    const std::size_t within = round % 3 == 0 ? 2000 : whole_.size();
    const std::size_t at = random() % within;
    std::string bytes = whole_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    write_bytes(path(), bytes);
    try {
      EXPECT_EQ(test::read_hashes(timeline_, 0, -1, 1), all_) << "byte " << at;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kStorage) << "byte " << at << ": " << error.what();
      ++found;
    }
  }
  EXPECT_GT(found, kRounds / 2);
}

TEST_F(DamagedMezzanine, ALostBlockThatReadsAsZerosIsFound) {
  for (const std::size_t size : {std::size_t{512}, std::size_t{4096}, std::size_t{65536}}) {
    for (std::size_t at = size; at + size < whole_.size();
         at += std::max(size, whole_.size() / 20)) {
      const std::size_t begin = at / size * size;
      std::string bytes = whole_;
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), size, '\0');
      write_bytes(path(), bytes);
      EXPECT_THROW(test::read_hashes(timeline_, 0, -1, 1), Error) << begin << " " << size;
    }
  }
}

TEST(SlicesAreWhole, NotZerosNotNothingNotNoise) {
  EXPECT_FALSE(slices_are_whole({}));
  for (const std::size_t size : {1U, 7U, 8U, 16U, 800U}) {
    EXPECT_FALSE(slices_are_whole(std::vector<std::uint8_t>(size, 0)));
    EXPECT_FALSE(slices_are_whole(std::vector<std::uint8_t>(size, 255)));
  }
}

TEST_F(DamagedMezzanine, GoneOrCut) {
  write_bytes(path(), whole_.substr(0, whole_.size() / 2));
  expect_refused("cut");
  fs::remove(path());
  expect_refused("gone");
}

TEST_F(DamagedMezzanine, IsMadeAgainAsItWas) {
  const Timeline again = made();
  EXPECT_EQ(read_bytes(path()), whole_);
  EXPECT_EQ(again.serialize(), timeline_.serialize());
}

TEST_F(DamagedMezzanine, AUsersOwnFfv1FilmIsShownAsFarAsItDecodes) {
  std::string bytes = whole_;
  bytes[bytes.size() * 9 / 10] = static_cast<char>(bytes[bytes.size() * 9 / 10] ^ 0x41);
  write_bytes(folder_.path() / "own.mkv", bytes);
  const Timeline own = plan_timeline(probe(folder_.path() / "own.mkv"), {}).timeline;
  EXPECT_EQ(test::read_hashes(own, 0).size(), 12U);
}

}  // namespace
}  // namespace vsr::media
