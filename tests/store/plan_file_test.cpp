#include "vsr/store/plan_file.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr::store {
namespace {

using ::testing::HasSubstr;

Plan sample_plan() {
  Plan plan;
  plan.identity = {{"model.precision", "fp16"}, {"input", "abc"}, {"empty", ""}};
  plan.timeline_frames = 1000;
  plan.segments = plan_segments(1000, {300, 10});
  plan.timeline_rate = {25, 1};
  plan.max_seq_len = 64;
  plan.overlap = 10;
  plan.tile = {640, 512, 32};
  plan.picture = {4096, 1728, ColourModel::kYuv, ChromaSubsampling::k422, 10};
  plan.colour = {Matrix::kBt2020Ncl, true, ChromaSiting::kTopLeft, 9, 16};
  plan.sample_aspect = {16, 15};
  plan.timeline = std::string("a\0b\xff", 4);
  plan.created = "2026-01-02T03:04:05Z";
  plan.host = "pod-b";
  return plan;
}

TEST(PlanFile, ComesBackAsItWas) {
  const Plan plan = sample_plan();
  const Plan again = decode_plan(encode_plan(plan));
  EXPECT_EQ(again.identity, plan.identity);
  EXPECT_EQ(again.segments, plan.segments);
  EXPECT_EQ(again.tile, plan.tile);
  EXPECT_EQ(again.picture, plan.picture);
  EXPECT_EQ(again.colour, plan.colour);
  EXPECT_EQ(again.sample_aspect, plan.sample_aspect);
  EXPECT_EQ(again.timeline, plan.timeline);
  EXPECT_EQ(again.host, plan.host);
  EXPECT_EQ(again.fingerprint(), plan.fingerprint());
}

TEST(PlanFile, DamageAnywhereIsNoticed) {
  const std::string good = encode_plan(sample_plan());
  EXPECT_THROW(decode_plan(""), Error);
  EXPECT_THROW(decode_plan(good.substr(0, good.size() / 2)), Error);
  EXPECT_THROW(decode_plan(good + "x"), Error);
  for (std::size_t at = 0; at < good.size(); at += 97) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    if (at >= 112 && at < 512) continue;  // padding after the seal carries no meaning
    EXPECT_THROW(decode_plan(bad), Error) << at;
  }
}

TEST(PlanFile, FingerprintFollowsWhatShapesPictures) {
  const Plan plan = sample_plan();
  Plan other = plan;
  other.host = "elsewhere";
  other.created = "later";
  EXPECT_EQ(other.fingerprint(), plan.fingerprint());
  other.identity["model.precision"] = "fp32";
  EXPECT_NE(other.fingerprint(), plan.fingerprint());
  other = plan;
  other.max_seq_len = 32;
  EXPECT_NE(other.fingerprint(), plan.fingerprint());
  other = plan;
  other.tile.width = 320;
  EXPECT_NE(other.fingerprint(), plan.fingerprint());
}

TEST(PlanFile, SegmentsThatDoNotTileAreRefused) {
  Plan plan = sample_plan();
  plan.segments[1].core.begin += 1;
  EXPECT_THROW(decode_plan(encode_plan(plan)), Error);
  plan = sample_plan();
  plan.segments.pop_back();
  EXPECT_THROW(decode_plan(encode_plan(plan)), Error);
}

TEST(Differences, NamesEachKeyOnceAndFirstWhatWasChanged) {
  const auto lines =
      differences({{"a", "3"}, {"b", "1"}, {"c", "2"}}, {{"b", "1"}, {"c", "5"}, {"d", "4"}});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "c was '2', is now '5'");
  EXPECT_EQ(lines[1], "a was '3', does not count now");
  EXPECT_EQ(lines[2], "d = '4' counts now");
}

}  // namespace
}  // namespace vsr::store
