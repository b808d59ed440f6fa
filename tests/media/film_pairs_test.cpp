#include "vsr/media/film_pairs.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <ostream>

namespace vsr::media {

void PrintTo(const FramePair& pair, std::ostream* out) { *out << pair.a << '-' << pair.b; }

namespace {

PairedBy choice(std::int64_t a, const Rational& a_rate, std::int64_t b, const Rational& b_rate) {
  return choose_pairing({a, a_rate}, {b, b_rate}).by;
}

TEST(ChoosePairing, ByNumberWhereTheRateIsTheSame) {
  EXPECT_EQ(choice(100, {25, 1}, 40, {25, 1}), PairedBy::kNumber);
}

TEST(ChoosePairing, ByNumberWhereAFilmWasRetimed) {
  EXPECT_EQ(choice(130'000, {25, 1}, 130'000, {24, 1}), PairedBy::kNumber);
  EXPECT_EQ(choice(130'000, {25, 1}, 129'990, {24000, 1001}), PairedBy::kNumber);
  EXPECT_EQ(choice(100, {24, 1}, 100, {48, 1}), PairedBy::kNumber);  // slow motion
  // A part of a master: neither counts nor lengths are close.
  EXPECT_EQ(choice(130'000, {25, 1}, 40'000, {24, 1}), PairedBy::kNumber);
}

TEST(ChoosePairing, ByTimeWhereFramesWereAddedOrDropped) {
  EXPECT_EQ(choice(96, {24, 1}, 192, {48, 1}), PairedBy::kTime);
  EXPECT_EQ(choice(150, {25, 1}, 144, {24, 1}), PairedBy::kTime);
  EXPECT_EQ(choice(1000, {24, 1}, 1250, {30, 1}), PairedBy::kTime);
  EXPECT_EQ(choice(1000, {25, 1}, 100, {50, 1}), PairedBy::kTime);
}

TEST(FramePairs, ByNumberWithAnOffset) {
  const FilmLength a{10, {25, 1}};
  const FilmLength b{8, {24, 1}};
  const FramePairs later(PairedBy::kNumber, a, b, -3, {0, 10});
  ASSERT_EQ(later.size(), 7);
  EXPECT_EQ(later.at(0), (FramePair{3, 0}));
  EXPECT_EQ(later.at(6), (FramePair{9, 6}));
  EXPECT_EQ(later.alone_of_a(), 3);
  EXPECT_EQ(later.alone_of_b(), 1);
  const FramePairs earlier(PairedBy::kNumber, a, b, 2, {0, 10});
  ASSERT_EQ(earlier.size(), 6);
  EXPECT_EQ(earlier.at(0), (FramePair{0, 2}));
  EXPECT_EQ(FramePairs(PairedBy::kNumber, a, b, 8, {0, 10}).size(), 0);
  EXPECT_EQ(FramePairs(PairedBy::kNumber, a, b, -10, {0, 10}).size(), 0);
}

TEST(FramePairs, OfAPart) {
  const FilmLength film{100, {25, 1}};
  const FramePairs part(PairedBy::kNumber, film, film, 0, {20, 30});
  ASSERT_EQ(part.size(), 10);
  EXPECT_EQ(part.at(0), (FramePair{20, 20}));
  EXPECT_EQ(part.alone_of_b(), 0);  // none between
}

TEST(FramePairs, ByTimeFollowTheSlowerFilm) {
  const FilmLength slow{4, {24, 1}};
  const FilmLength fast{8, {48, 1}};
  const FramePairs up(PairedBy::kTime, slow, fast, 0, {0, 4});
  ASSERT_EQ(up.size(), 4);
  EXPECT_EQ(up.at(3), (FramePair{3, 6}));
  EXPECT_EQ(up.alone_of_b(), 4);
  const FramePairs down(PairedBy::kTime, fast, slow, 0, {0, 8});
  ASSERT_EQ(down.size(), 4);
  EXPECT_EQ(down.at(3), (FramePair{6, 3}));
  EXPECT_EQ(down.alone_of_a(), 4);
}

// Would take days, were every frame between looked at.
TEST(FramePairs, AreNoneAtOnceWhereTheOffsetIsFarAway) {
  constexpr std::int64_t kFar = 1'000'000'000'000'000;
  const FilmLength slow{4, {24, 1}};
  const FilmLength fast{8, {48, 1}};
  for (const std::int64_t offset : {-kFar, kFar}) {
    for (const auto by : {PairedBy::kTime, PairedBy::kNumber}) {
      const FramePairs down(by, fast, slow, offset, {0, 8});
      EXPECT_EQ(down.size(), 0);
      EXPECT_EQ(down.alone_of_a(), 8);
      EXPECT_EQ(FramePairs(by, slow, fast, offset, {0, 4}).size(), 0);
    }
  }
}

TEST(FramePairs, ByTimeAscendStrictly) {
  for (const Rational& rate : {Rational(24000, 1001), Rational(24, 1), Rational(30, 1)}) {
    for (const std::int64_t offset : {-7, 0, 5}) {
      const FilmLength a{500, {25, 1}};
      const FilmLength b{480, rate};
      const FramePairs pairs(PairedBy::kTime, a, b, offset, {0, 500});
      ASSERT_GT(pairs.size(), 380);
      for (std::int64_t i = 0; i < pairs.size(); ++i) {
        const FramePair pair = pairs.at(i);
        ASSERT_GE(pair.a, 0);
        ASSERT_LT(pair.a, a.frames);
        ASSERT_GE(pair.b, 0);
        ASSERT_LT(pair.b, b.frames);
        if (i > 0) {
          ASSERT_GT(pair.a, pairs.at(i - 1).a);
          ASSERT_GT(pair.b, pairs.at(i - 1).b);
        }
        const double apart_s = static_cast<double>(pair.a) / a.rate.to_double() -
                               static_cast<double>(pair.b - offset) / b.rate.to_double();
        ASSERT_LE(std::abs(apart_s), 0.021) << i;
      }
    }
  }
}

}  // namespace
}  // namespace vsr::media
