#include "vsr/base/figure_text.hpp"

#include <gtest/gtest.h>

namespace vsr {
namespace {

TEST(DurationText, IsWhatPeopleSay) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(0.42), "0.42 s");
  EXPECT_EQ(duration_text(8.5), "8.5 s");
  EXPECT_EQ(duration_text(9.6), "10 s");
  EXPECT_EQ(duration_text(89), "89 s");
  EXPECT_EQ(duration_text(90), "1 min 30 s");
  EXPECT_EQ(duration_text(118), "2 min");
  EXPECT_EQ(duration_text(250), "4 min 10 s");
  EXPECT_EQ(duration_text(596), "10 min");
  EXPECT_EQ(duration_text(42 * 60), "42 min");
  EXPECT_EQ(duration_text(5 * 3600 + 10 * 60), "5 h 10 min");
  EXPECT_EQ(duration_text(2 * 3600 - 1), "2 h 0 min");
  EXPECT_EQ(duration_text(21 * 3600), "21 h");
  EXPECT_EQ(duration_text(9.0 * 86400), "9 days");
}

TEST(SizeText, HasThreeFigures) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(999), "999 bytes");
  EXPECT_EQ(size_text(999.6), "1.00 kB");
  EXPECT_EQ(size_text(8.126e6), "8.13 MB");
  EXPECT_EQ(size_text(32e9), "32.0 GB");
  EXPECT_EQ(size_text(140e9), "140 GB");
  EXPECT_EQ(size_text(999.7e9), "1.00 TB");
  EXPECT_EQ(size_text(1.25e15), "1250 TB");
  EXPECT_EQ(size_text(-1), "unknown");
}

TEST(RateText, HasTwoFiguresOrIsWhole) {
  EXPECT_EQ(rate_text(0), "0");
  EXPECT_EQ(rate_text(0.0213), "0.021");
  EXPECT_EQ(rate_text(0.96), "1.0");
  EXPECT_EQ(rate_text(2.14), "2.1");
  EXPECT_EQ(rate_text(9.97), "10");
  EXPECT_EQ(rate_text(61.4), "61");
  EXPECT_EQ(rate_text(-1), "?");
}

TEST(Counted, HasOneOrMany) {
  EXPECT_EQ(counted(1, "frame"), "1 frame");
  EXPECT_EQ(counted(0, "frame"), "0 frames");
}

}  // namespace
}  // namespace vsr
