#include "vsr/store/record.hpp"

#include "vsr/base/error.hpp"
#include "vsr/store/plan_file.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace vsr::store {
namespace {

TEST(Record, ComesBackAsItWas) {
  Record record;
  record.segment = {7, {100, 200}, {90, 210}};
  record.plan_fingerprint = "abc";
  record.file = "0003-0badcafe.mov";
  record.frames = 120;
  record.bytes = 1'234'567'890'123;
  record.checksums.assign(120, 0xdeadbeef);
  record.windows = {{90, 64}, {150, 60}};
  record.device = "NVIDIA H200";
  record.rank = 3;
  record.attempt = 2;
  record.wall_s = 12.5;
  record.stage_s = {{"decode", 1.5}, {"network", 11.0}};
  record.events = {"out of memory at frame 90: window 128 -> 64"};
  record.seam_luma = {{96, {3, 2, 10, {0, 1, 2, 3, 1022, 1023}}},
                      {204, {3, 2, 10, {9, 8, 7, 6, 5, 4}}}};
  const Record again = decode_record(encode_record(record));
  EXPECT_EQ(again.seam_luma, record.seam_luma);
  EXPECT_EQ(again.segment, record.segment);
  EXPECT_EQ(again.bytes, record.bytes);
  EXPECT_EQ(again.checksums, record.checksums);
  EXPECT_EQ(again.windows, record.windows);
  EXPECT_EQ(again.stage_s, record.stage_s);
  EXPECT_EQ(again.events, record.events);
  EXPECT_EQ(again.device, record.device);
  EXPECT_EQ(again.wall_s, record.wall_s);
}

TEST(Record, EmptyListsAreFine) {
  const Record again = decode_record(encode_record(Record{}));
  EXPECT_TRUE(again.checksums.empty());
  EXPECT_TRUE(again.windows.empty());
  EXPECT_TRUE(again.seam_luma.empty());
}

TEST(Record, LumaOfSeveralSizesIsRefused) {
  Record record;
  record.seam_luma = {{1, {2, 1, 8, {0, 1}}}, {2, {1, 1, 8, {0}}}};
  EXPECT_THROW(encode_record(record), Error);
}

TEST(Record, APlanIsNoRecord) { EXPECT_THROW(decode_record(encode_plan(Plan{})), Error); }

// Encoders of a rank read and write records while others do.
TEST(Record, ManyThreadsDoNotMixThemUp) {
  std::atomic<int> mixed_up = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        Record record;
        record.segment = {t, {0, 100 + t}, {0, 100 + t}};
        record.checksums.assign(static_cast<std::size_t>(100 + t), static_cast<std::uint32_t>(i));
        const Record again = decode_record(encode_record(record));
        if (!(again.segment == record.segment) || again.checksums != record.checksums) ++mixed_up;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(mixed_up, 0);
}

}  // namespace
}  // namespace vsr::store
