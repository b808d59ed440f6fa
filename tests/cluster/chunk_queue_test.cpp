#include "vsr/cluster/chunk_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vsr::cluster {
namespace {

TEST(ChunkQueue, NothingBeforeItsSegment) {
  ChunkQueue queue({false, false, false}, 2);
  EXPECT_FALSE(queue.next(0));
  queue.ready(2, 1);
  ASSERT_TRUE(queue.next(0));
  EXPECT_FALSE(queue.next(0));
  EXPECT_EQ(queue.remaining(), 3);
  EXPECT_EQ(queue.in_hand(), 1);
}

TEST(ChunkQueue, WhoMadeTheSegmentComesFirstThenTheEarliest) {
  ChunkQueue queue(std::vector<bool>(4, false), 3);
  queue.ready(0, 1);
  queue.ready(1, 2);
  queue.ready(3, 2);
  EXPECT_EQ(queue.next(2)->segment, 1);
  EXPECT_EQ(queue.next(0)->segment, 0);
  EXPECT_EQ(queue.next(1)->segment, 3);
}

TEST(ChunkQueue, DoneChunksAreLeftOut) {
  ChunkQueue queue({true, false}, 1);
  EXPECT_EQ(queue.remaining(), 1);
  queue.ready(0, 0);
  EXPECT_FALSE(queue.next(0));
  queue.ready(1, 0);
  queue.succeeded(0, queue.next(0)->segment);
  EXPECT_EQ(queue.remaining(), 0);
}

TEST(ChunkQueue, AFailedOneGoesElsewhereUntilItsAttemptsAreUsedUp) {
  ChunkQueue queue({false}, 2);
  queue.ready(0, 0);
  EXPECT_EQ(queue.next(0)->attempt, 1);
  EXPECT_TRUE(queue.failed(0, 0));
  EXPECT_FALSE(queue.next(0)) << "to the same rank";
  EXPECT_EQ(queue.next(1)->attempt, 2);
  EXPECT_TRUE(queue.failed(1, 0));
  EXPECT_EQ(queue.next(0)->attempt, 3);
  EXPECT_FALSE(queue.failed(0, 0));
}

TEST(ChunkQueue, AloneARankTriesAgainItself) {
  ChunkQueue queue({false}, 1);
  queue.ready(0, 0);
  queue.next(0);
  EXPECT_TRUE(queue.failed(0, 0));
  EXPECT_TRUE(queue.next(0));
}

TEST(ChunkQueue, WhatALostRankHadInHandIsNoAttempt) {
  ChunkQueue queue({false, false}, 2);
  queue.ready(0, 0);
  queue.ready(1, 1);
  queue.next(0);
  queue.next(1);
  queue.lost(1);
  EXPECT_EQ(queue.in_hand(), 1);
  const auto again = queue.next(0);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->segment, 1);
  EXPECT_EQ(again->attempt, 1);
}

TEST(ChunkQueue, WhatAnotherJobIsAtIsSetAsideUntilRecalled) {
  ChunkQueue queue({false, false}, 1, 1);
  queue.ready(0, -1);
  EXPECT_EQ(queue.next(0)->segment, 0);
  queue.set_aside(0, 0);
  queue.ready(0, 0);  // made here, too
  EXPECT_FALSE(queue.next(0));
  EXPECT_TRUE(queue.recall());
  EXPECT_FALSE(queue.recall());
  EXPECT_EQ(queue.next(0)->attempt, 1);
}

TEST(ChunkQueue, WhatOthersHaveDoneIsHandedOutNoMore) {
  ChunkQueue queue({false, false, false}, 1);
  queue.ready(0, 0);
  queue.ready(1, 0);
  EXPECT_EQ(queue.next(0)->segment, 0);
  EXPECT_FALSE(queue.done_elsewhere(0)) << "in hand here";
  EXPECT_TRUE(queue.done_elsewhere(1));
  EXPECT_FALSE(queue.done_elsewhere(1)) << "twice";
  EXPECT_TRUE(queue.done_elsewhere(2)) << "though its segment is not known to be done";
  EXPECT_FALSE(queue.next(0));
  queue.succeeded(0, 0);
  EXPECT_EQ(queue.remaining(), 0);
}

TEST(ChunkQueue, ALostRankThatComesBackWithItsWorkDoesNoHarm) {
  ChunkQueue queue({false}, 2, 1);
  queue.ready(0, 1);
  EXPECT_TRUE(queue.next(1));
  queue.lost(1);
  EXPECT_TRUE(queue.next(0));
  queue.back(1);
  EXPECT_TRUE(queue.failed(1, 0)) << "it has it no more";
  queue.succeeded(1, 0);
  EXPECT_EQ(queue.remaining(), 0);
  EXPECT_TRUE(queue.failed(0, 0)) << "of what is done by now nothing is given up";
  EXPECT_EQ(queue.in_hand(), 0);
  EXPECT_FALSE(queue.next(0));
}

// No list of chunks: the film is not made of such.
TEST(ChunkQueue, OfNoChunksIsEmpty) {
  ChunkQueue queue({}, 2);
  queue.ready(5, 0);
  EXPECT_FALSE(queue.next(0));
  EXPECT_EQ(queue.remaining(), 0);
}

}  // namespace
}  // namespace vsr::cluster
