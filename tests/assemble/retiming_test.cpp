// The arithmetic of retiming, without a film.
#include "assemble/retiming.hpp"

#include "assemble/dvd_spu.hpp"
#include "assemble/metadata.hpp"
#include "assemble/sound_retimer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace vsr::assemble {
namespace {

TEST(Retiming, PlacesFromTheStartAndStretches) {
  const Retiming slower(Rational(1, 2), Rational(24, 25));
  const Rational ms(1, 1000);
  EXPECT_TRUE(slower.changes_speed());
  EXPECT_EQ(slower.place(500, ms, ms), 0);
  EXPECT_EQ(slower.place(1460, ms, ms), 1000);
  EXPECT_EQ(slower.place(20, ms, ms), -500);
  EXPECT_EQ(slower.stretch_duration(960, ms, ms), 1000);
  EXPECT_EQ(slower.since_start(1460, ms, Rational(1, 48000)), 960 * 48);
  EXPECT_FALSE(Retiming(Rational(0, 1), Rational(1, 1)).changes_speed());
}

TEST(Retiming, StaysExactOverALongFilm) {
  // Ten hours of 24 fps film to 24000/1001, in the ticks of a program stream.
  const Retiming ntsc(Rational(1, 90000), Rational(1000, 1001));
  const std::int64_t ten_hours = 36'000ll * 90'000;
  EXPECT_EQ(ntsc.place(ten_hours + 1, Rational(1, 90000), Rational(1, 1'000'000'000)),
            36'036'000'000'000);
}

TEST(TempoFilters, AreSplitBeyondTwoAndAHalf) {
  EXPECT_EQ(tempo_filters(Rational(24, 25)), ",atempo=0.96");
  EXPECT_EQ(tempo_filters(Rational(5, 1)), ",atempo=2,atempo=2,atempo=1.25");
  EXPECT_EQ(tempo_filters(Rational(1, 4)), ",atempo=0.5,atempo=0.5");
  EXPECT_EQ(tempo_filters(Rational(1, 1)), "");
}

// Two sequences: shown at once, taken away after 100 units; the second names itself as next.
std::vector<std::uint8_t> subpicture() {
  return {0, 16, 0, 4, 0, 0, 0, 10, 1, 255, 0, 100, 0, 10, 2, 255};
}

TEST(DvdSubtitle, DatesOfAllSequencesAreScaled) {
  std::vector<std::uint8_t> packet = subpicture();
  ASSERT_TRUE(rescale_spu_dates(packet, Rational(25, 24)));
  std::vector<std::uint8_t> expected = subpicture();
  expected[11] = 104;  // 104.17
  EXPECT_EQ(packet, expected);
}

TEST(DvdSubtitle, WidePacketsOfHdDiscs) {
  std::vector<std::uint8_t> packet{0, 0, 0, 0,  0, 22,  0, 0, 0, 10, 0, 0,
                                   0, 0, 0, 16, 1, 200, 0, 0, 0, 16, 2, 255};
  ASSERT_TRUE(rescale_spu_dates(packet, Rational(2, 1)));
  // The second sequence begins at 16 with the date 0x01c8.
  EXPECT_EQ(packet[16] << 8 | packet[17], 2 * 0x1c8);
}

TEST(DvdSubtitle, DatesDoNotOverflow) {
  std::vector<std::uint8_t> packet = subpicture();
  packet[10] = 0xff;
  ASSERT_TRUE(rescale_spu_dates(packet, Rational(25, 24)));
  EXPECT_EQ(packet[10], 0xff);
  EXPECT_EQ(packet[11], 0xff);
}

TEST(DvdSubtitle, DamagedPacketsAreLeftAlone) {
  for (std::size_t size = 0; size < subpicture().size(); ++size) {
    std::vector<std::uint8_t> packet = subpicture();
    packet.resize(size);
    const std::vector<std::uint8_t> before = packet;
    const bool scaled = rescale_spu_dates(packet, Rational(25, 24));
    EXPECT_TRUE(scaled || packet == before) << size;
  }
  std::vector<std::uint8_t> outside = subpicture();
  outside[3] = 200;  // the first sequence lies outside
  EXPECT_FALSE(rescale_spu_dates(outside, Rational(25, 24)));
  std::vector<std::uint8_t> beyond = subpicture();
  beyond[6] = 0x10;  // so does the next one
  EXPECT_FALSE(rescale_spu_dates(beyond, Rational(25, 24)));
}

TEST(KeepsTag, StatisticsAndBrandsAreLeftOut) {
  for (const char* untrue : {"BPS",
                             "bps-eng",
                             "DURATION-ger",
                             "NUMBER_OF_FRAMES",
                             "_STATISTICS_WRITING_APP",
                             "_STATISTICS_TAGS-eng",
                             "major_brand"}) {
    EXPECT_FALSE(keeps_tag(untrue, StreamContent::kCopied)) << untrue;
  }
  for (const char* kept : {"title", "language", "DIRECTOR", "creation_time"}) {
    EXPECT_TRUE(keeps_tag(kept, StreamContent::kRemade)) << kept;
  }
  EXPECT_TRUE(keeps_tag("encoder", StreamContent::kCopied));
  EXPECT_FALSE(keeps_tag("encoder", StreamContent::kRemade));
}

}  // namespace
}  // namespace vsr::assemble
