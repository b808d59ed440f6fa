#include "vsr/base/rational.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

namespace vsr {
namespace {

TEST(Rational, IsInLowestTermsWithPositiveDenominator) {
  EXPECT_EQ(Rational(50, 2), Rational(25, 1));
  EXPECT_EQ(Rational(3, -6), Rational(-1, 2));
  EXPECT_EQ(Rational(0, -7), Rational(0, 1));
  EXPECT_THROW(Rational(1, 0), Error);
}

TEST(Rational, OrdersExactly) {
  EXPECT_LT(Rational(24000, 1001), Rational(24, 1));
  EXPECT_GT(Rational(1, 3), Rational(333'333, 1'000'000));
}

TEST(Rational, ReadsRatesAndNtscDecimals) {
  EXPECT_EQ(parse_rate("25"), Rational(25, 1));
  EXPECT_EQ(parse_rate("24000/1001"), Rational(24000, 1001));
  EXPECT_EQ(parse_rate("23.976"), Rational(24000, 1001));
  EXPECT_EQ(parse_rate("29.97"), Rational(30000, 1001));
  EXPECT_EQ(parse_rate("59.94"), Rational(60000, 1001));
  EXPECT_EQ(parse_rate("12.5"), Rational(25, 2));
}

TEST(Rational, RefusesWhatIsNoRate) {
  for (const char* text :
       {"", "x", "0", "-25", "25/0", "25/", "/1", "1e3", "25 ", "2.", "99999999999", "-1.5"}) {
    EXPECT_THROW(parse_rate(text), Error) << text;
  }
}

TEST(Rescale, RoundsAsAsked) {
  const Rational ms(1, 1000);
  const Rational tick(1, 90);
  EXPECT_EQ(rescale(1, ms, tick), 0);  // 0.09
  EXPECT_EQ(rescale(6, ms, tick), 1);  // 0.54
  EXPECT_EQ(rescale(-6, ms, tick), -1);
  EXPECT_EQ(rescale(-1, ms, tick, Rounding::kFloor), -1);
  EXPECT_EQ(rescale(1, ms, tick, Rounding::kCeil), 1);
  EXPECT_EQ(rescale(-1, ms, tick, Rounding::kCeil), 0);
}

TEST(Rescale, DoesNotOverflowOnTheWay) {
  // A hundred hours in nanoseconds, through 25/24.
  const std::int64_t hours = 100LL * 3600 * 1'000'000'000;
  EXPECT_EQ(rescale(hours, Rational(25, 24'000'000'000), Rational(1, 1'000'000'000)),
            hours / 24 * 25);
}

}  // namespace
}  // namespace vsr
