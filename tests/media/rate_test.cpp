#include "media/rate.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numeric>
#include <random>

namespace vsr::media {
namespace {

using ::testing::ElementsAre;

const Rational kMilliseconds(1, 1000);
const Rational kTicks90k(1, 90000);

// Times of `count` pictures at `rate`, rounded to ticks.
std::vector<std::int64_t> times(int count,
                                const Rational& rate,
                                const Rational& tick,
                                std::int64_t from = 0) {
  std::vector<std::int64_t> pts;
  for (int i = 0; i < count; ++i) pts.push_back(from + rescale(i, rate.inverse(), tick));
  return pts;
}

TEST(MeasureRate, NtscFilmInMilliseconds) {
  const Rational film(24000, 1001);
  EXPECT_EQ(measure_rate(times(3000, film, kMilliseconds), kMilliseconds, {}), film);
}

TEST(MeasureRate, TwentyFourIsNotNtsc) {
  EXPECT_EQ(measure_rate(times(3000, Rational(24, 1), kMilliseconds), kMilliseconds, {}),
            Rational(24, 1));
}

TEST(MeasureRate, DeclaredRateIsTakenWhereItFits) {
  const std::vector<Rational> declared{Rational(17, 1)};
  EXPECT_EQ(measure_rate(times(100, declared[0], kTicks90k), kTicks90k, declared), declared[0]);
}

TEST(MeasureRate, FieldRateInTheHeaderIsNotTheRateOfPictures) {
  const std::vector<Rational> declared{Rational(50, 1)};
  EXPECT_EQ(measure_rate(times(100, Rational(25, 1), kTicks90k), kTicks90k, declared),
            Rational(25, 1));
}

TEST(MeasureRate, PulldownFlagsGiveTheFilmsRate) {
  std::vector<std::int64_t> pts;
  std::int64_t at = 1000;
  for (int i = 0; i < 200; ++i) {
    pts.push_back(at);
    at += (i % 2 == 0 ? 3 : 2) * 90090 / 60;  // fields of 60000/1001
  }
  EXPECT_EQ(measure_rate(pts, kTicks90k, {}), Rational(24000, 1001));
  EXPECT_TRUE(is_steady(pts, kTicks90k, Rational(24000, 1001)));
}

TEST(MeasureRate, AFilmWithGapsKeepsItsOwnRate) {
  std::vector<std::int64_t> pts = times(100, Rational(25, 1), kMilliseconds);
  pts.erase(pts.begin() + 20, pts.begin() + 25);
  pts.erase(pts.begin() + 60, pts.begin() + 62);
  EXPECT_EQ(measure_rate(pts, kMilliseconds, {}), Rational(25, 1));
}

TEST(MeasureRate, AllOverThePlaceGivesTheAverage) {
  std::vector<std::int64_t> pts{0};
  for (int i = 0; i < 300; ++i)
    pts.push_back(pts.back() + (i % 3 == 0 ? 10 : i % 3 == 1 ? 37 : 73));
  EXPECT_EQ(measure_rate(pts, kMilliseconds, {}), Rational(25, 1));
}

TEST(MeasureRate, OnePictureHasTheDeclaredRate) {
  const std::vector<Rational> declared{Rational(30, 1)};
  EXPECT_EQ(measure_rate(std::vector<std::int64_t>{77}, kMilliseconds, declared), declared[0]);
}

TEST(BringToConstantRate, SteadyPicturesAreTakenOneByOne) {
  const auto pts = times(500, Rational(30000, 1001), kMilliseconds, 12345);
  const ConstantRate result = bring_to_constant_rate(pts, kMilliseconds, {}, std::nullopt, 33);
  EXPECT_TRUE(result.steady);
  ASSERT_EQ(result.picture.size(), pts.size());
  for (std::size_t i = 0; i < pts.size(); ++i) ASSERT_EQ(result.picture[i], static_cast<int>(i));
}

TEST(BringToConstantRate, GapsRepeatTheLastPicture) {
  const std::vector<std::int64_t> pts{0, 40, 80, 200, 240};  // 120 and 160 are missing
  const ConstantRate result = bring_to_constant_rate(pts, kMilliseconds, {}, std::nullopt, 40);
  EXPECT_EQ(result.rate, Rational(25, 1));
  EXPECT_FALSE(result.steady);
  EXPECT_THAT(result.picture, ElementsAre(0, 1, 2, 2, 2, 3, 4));
  EXPECT_EQ(result.repeated, 2);
  EXPECT_EQ(result.dropped, 0);
}

TEST(BringToConstantRate, CrowdedPicturesAreDropped) {
  const std::vector<std::int64_t> pts{0, 20, 40, 60, 80, 100, 120, 140};
  const ConstantRate result = bring_to_constant_rate(pts, kMilliseconds, {}, Rational(25, 1), 20);
  EXPECT_EQ(result.picture.size(), 4U);
  EXPECT_EQ(result.dropped, 4);
  EXPECT_EQ(result.repeated, 0);
}

TEST(BringToConstantRate, WantedRateKeepsLengthAndOrder) {
  const auto pts = times(1000, Rational(25, 1), kTicks90k, 5000);
  const ConstantRate result = bring_to_constant_rate(pts, kTicks90k, {}, Rational(30, 1), 3600);
  EXPECT_EQ(result.picture.size(), 1200U);
  EXPECT_EQ(result.repeated, 200);
  EXPECT_EQ(result.dropped, 0);
}

// Whatever the times: frames go forward only, and none shows a picture that is more than half a
// frame early, nor one that another picture has replaced by then.
TEST(BringToConstantRate, EachFrameShowsThePictureOfItsTime) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::int64_t> pts{static_cast<std::int64_t>(random() % 1000)};
    const int count = 2 + static_cast<int>(random() % 60);
    for (int i = 1; i < count; ++i)
      pts.push_back(pts.back() + 1 + static_cast<int>(random() % 120));
    const Rational rate(10 + static_cast<int>(random() % 40), 1);
    const ConstantRate result = bring_to_constant_rate(pts, kMilliseconds, {}, rate, 0);
    if (result.steady) continue;
    ASSERT_FALSE(result.picture.empty());
    std::int64_t repeated = 0;
    for (std::size_t k = 0; k < result.picture.size(); ++k) {
      const auto shown = static_cast<std::size_t>(result.picture[k]);
      const double until = (static_cast<double>(k) + 0.5) / rate.to_double() * 1000 + 1e-6;
      const auto at = [&](std::size_t i) { return static_cast<double>(pts[i] - pts[0]); };
      ASSERT_TRUE(shown == 0 || at(shown) <= until);
      ASSERT_TRUE(shown + 1 == pts.size() || at(shown + 1) > until - 1e-3);
      if (k > 0) {
        ASSERT_GE(result.picture[k], result.picture[k - 1]);
        repeated += result.picture[k] == result.picture[k - 1];
      }
    }
    ASSERT_EQ(result.repeated, repeated);
    ASSERT_EQ(static_cast<std::int64_t>(pts.size()) - result.dropped + repeated,
              static_cast<std::int64_t>(result.picture.size()));
  }
}

TEST(BringToConstantRate, ClockThatSpansYearsIsRefused) {
  const std::vector<std::int64_t> pts{0, 40, std::int64_t{1} << 50};
  EXPECT_THROW(bring_to_constant_rate(pts, kMilliseconds, {}, Rational(25, 1), 40), Error);
}

TEST(FramesInRange, HalfOpenInSeconds) {
  EXPECT_EQ(frames_in_range(100, Rational(25, 1), 0, 0),
            std::make_pair(std::int64_t{0}, std::int64_t{100}));
  EXPECT_EQ(frames_in_range(100, Rational(25, 1), 1, 2),
            std::make_pair(std::int64_t{25}, std::int64_t{50}));
  EXPECT_EQ(frames_in_range(100, Rational(25, 1), 1.01, 99),
            std::make_pair(std::int64_t{26}, std::int64_t{100}));
}

TEST(FramesInRange, NothingLeftIsAUsageError) {
  for (const auto& [start, end] :
       std::vector<std::pair<double, double>>{{4, 0}, {2, 1}, {2, 2}, {-1, 0}, {std::nan(""), 0}}) {
    try {
      frames_in_range(100, Rational(25, 1), start, end);
      FAIL() << start << " to " << end;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), ::testing::HasSubstr("4.000 seconds"));
    }
  }
}

TEST(Sum, ExactOrToTheMicrosecond) {
  EXPECT_EQ(sum(Rational(1, 3), Rational(1, 6)), Rational(1, 2));
  const Rational huge(std::int64_t{1} << 60, 999'999'937);
  EXPECT_NEAR(sum(huge, Rational(1, 999'999'893)).to_double(), huge.to_double(), 1e-3);
}

}  // namespace
}  // namespace vsr::media
