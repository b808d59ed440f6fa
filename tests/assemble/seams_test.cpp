#include "vsr/assemble/seams.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace vsr::assemble {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pair;

// A picture of one level, or of a checkerboard added to it.
LumaSamples picture(int level, int checkers = 0) {
  LumaSamples samples{4, 2, 8, {}};
  for (int i = 0; i < 8; ++i) {
    samples.values.push_back(static_cast<std::uint16_t>(level + (i % 2 == 0 ? 0 : checkers)));
  }
  return samples;
}

double db_of_levels(double levels) { return 20 * std::log10(255 / levels); }

// A film that grows brighter by 2 a frame, cut at frame 100; frames within `overlap` of it are in
// both segments, those of the segment behind with an error.
class ASeam : public ::testing::Test {
 protected:
  void make(int overlap, int error, int motion = 2) {
    before_.clear();
    behind_.clear();
    for (int frame = 96; frame < 100 + overlap; ++frame) {
      before_[frame] = picture(20 + motion * (frame - 90));
    }
    for (int frame = 100 - overlap; frame < 104; ++frame) {
      behind_[frame] = picture(20 + motion * (frame - 90) + error);
    }
  }

  Seam measured() const { return measure_seam(100, before_, behind_); }

  LumaByFrame before_;
  LumaByFrame behind_;
};

TEST_F(ASeam, OfEqualSegmentsIsNone) {
  make(2, 0);
  const Seam seam = measured();
  EXPECT_EQ(seam.frame, 100);
  EXPECT_EQ(seam.likeness_db, 99);
  EXPECT_THAT(seam.doubled, ElementsAre(Pair(98, 99), Pair(99, 99), Pair(100, 99), Pair(101, 99)));
  EXPECT_NEAR(seam.step, 2, 1e-9);
  EXPECT_NEAR(seam.usual_step, 2, 1e-9);
  EXPECT_NEAR(seam.step_ratio(), 1, 1e-9);
  EXPECT_FALSE(may_be_seen(seam));
}

TEST_F(ASeam, IsTheDifferenceOfWhatExistsTwice) {
  make(1, 3);
  const Seam seam = measured();
  EXPECT_NEAR(*seam.likeness_db, db_of_levels(3), 1e-9);
  EXPECT_THAT(seam.doubled,
              ElementsAre(Pair(99, DoubleNear(db_of_levels(3), 1e-9)),
                          Pair(100, DoubleNear(db_of_levels(3), 1e-9))));
  EXPECT_NEAR(seam.step, 5, 1e-9);
  EXPECT_NEAR(seam.usual_step, 2, 1e-9);
  EXPECT_NEAR(seam.step_ratio(), 2.5, 1e-9);
  EXPECT_TRUE(may_be_seen(seam));
}

TEST_F(ASeam, IsJudgedByTheShownFramesNotByTheHalosEnd) {
  make(3, 0);
  before_[102] = picture(200);  // never shown
  const Seam seam = measured();
  EXPECT_EQ(seam.likeness_db, 99);
  EXPECT_LT(seam.doubled.back().second, 20);
}

TEST_F(ASeam, OfFineDetailIsFound) {
  make(1, 0, 0);
  for (auto& [frame, luma] : behind_) luma = picture(40, 6);
  for (auto& [frame, luma] : before_) luma = picture(43);  // the same on average
  const Seam seam = measured();
  EXPECT_NEAR(*seam.likeness_db, db_of_levels(3), 1e-9);
  EXPECT_EQ(seam.usual_step, 0);
}

TEST_F(ASeam, IsHiddenByMotion) {
  make(2, 3, 40);
  EXPECT_LT(*measured().likeness_db, kLeastLikeness_db);
  // The error is across the motion, not along it: energies add.
  for (auto& [frame, luma] : behind_) luma = picture(20 + 40 * (static_cast<int>(frame) - 95), 3);
  for (auto& [frame, luma] : before_) luma = picture(20 + 40 * (static_cast<int>(frame) - 95));
  EXPECT_FALSE(may_be_seen(measured()));
}

TEST_F(ASeam, AtACutOfTheFilmIsNone) {
  make(2, 0);
  for (LumaByFrame* luma : {&before_, &behind_}) {
    for (auto& [frame, samples] : *luma) samples = picture(frame < 100 ? 30 : 180);
  }
  const Seam seam = measured();
  EXPECT_NEAR(seam.step, 150, 1e-9);
  EXPECT_NEAR(seam.step_ratio(), 1, 1e-9);
  EXPECT_FALSE(may_be_seen(seam));
}

TEST_F(ASeam, WithoutAnOverlapHasItsStepBesideThoseOfTheSegments) {
  make(0, 6);
  const Seam seam = measured();
  EXPECT_TRUE(seam.doubled.empty());
  EXPECT_FALSE(seam.likeness_db);
  EXPECT_NEAR(seam.step, 8, 1e-9);
  EXPECT_NEAR(seam.usual_step, 2, 1e-9);
  EXPECT_FALSE(may_be_seen(seam));
}

TEST_F(ASeam, OfSegmentsOfOneFrameWithoutAnOverlapHasNothingToCompareWith) {
  const Seam seam = measure_seam(1, {{0, picture(10)}}, {{1, picture(20)}});
  EXPECT_NEAR(seam.step, 10, 1e-9);
  EXPECT_EQ(seam.step_ratio(), 1);
}

TEST_F(ASeam, OfWhichNothingIsKeptIsAnError) {
  make(2, 0);
  before_.erase(99);
  EXPECT_THROW(measured(), Error);
}

}  // namespace
}  // namespace vsr::assemble
