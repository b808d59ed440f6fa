#include "vsr/store/record.hpp"

#include "h5.hpp"
#include "vsr/base/error.hpp"
#include "vsr/store/plan_file.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
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

Record record_with_measures() {
  const float not_measured = std::numeric_limits<float>::quiet_NaN();
  Record record;
  record.measures.decode_s = {0.25F, 0.5F};
  record.measures.network_s = {0.125F, 0.125F};
  record.measures.encode_s = {1, 2};
  record.measures.luma_mean = {0.5F, not_measured};
  record.measures.sharpness = {0.01F, not_measured};
  record.measures.sharpness_gain = {1.5F, not_measured};
  record.measures.back_projection_db = {40, not_measured};
  record.previews = {{12, "middle", "a", std::string("b\0b", 3), "c", "d"}, {7, "worst", "e", "f"}};
  return record;
}

TEST(Record, MeasuresAndPreviewsComeBack) {
  const Record record = record_with_measures();
  const Record again = decode_record(encode_record(record));
  EXPECT_EQ(again.previews, record.previews);
  EXPECT_EQ(again.measures.decode_s, record.measures.decode_s);
  EXPECT_EQ(again.measures.network_s, record.measures.network_s);
  EXPECT_EQ(again.measures.encode_s, record.measures.encode_s);
  for (const auto values : {&FrameMeasures::luma_mean,
                            &FrameMeasures::sharpness,
                            &FrameMeasures::sharpness_gain,
                            &FrameMeasures::back_projection_db}) {
    ASSERT_EQ((again.measures.*values).size(), 2u);
    EXPECT_EQ((again.measures.*values)[0], (record.measures.*values)[0]);
    EXPECT_TRUE(std::isnan((again.measures.*values)[1]));
  }
}

TEST(Record, OnePreviewIsReadAlone) {
  const Record record = record_with_measures();
  const std::string bytes = encode_record(record);
  EXPECT_EQ(read_preview(bytes, "middle"), record.previews[0]);
  EXPECT_EQ(read_preview(bytes, "worst"), record.previews[1]);
  EXPECT_EQ(read_preview(bytes, "best"), std::nullopt);
  EXPECT_EQ(read_preview(encode_record(Record{}), "middle"), std::nullopt);
  EXPECT_THROW(read_preview("torn", "middle"), Error);
}

// What a program before measures has committed counts.
TEST(Record, Version3IsReadAndHasNoMeasures) {
  h5::Writer file;
  file.attribute("format", std::string("vsr-dist record"));
  file.attribute("version", std::int64_t{3});
  for (const char* name : {"plan_fingerprint", "file", "host", "device", "started"}) {
    file.attribute(name, std::string(name));
  }
  for (const char* name : {"segment",
                           "core_begin",
                           "core_end",
                           "input_begin",
                           "input_end",
                           "frames",
                           "bytes",
                           "rank",
                           "attempt",
                           "seam_luma_width",
                           "seam_luma_height",
                           "seam_luma_bit_depth"}) {
    file.attribute(name, std::int64_t{2});
  }
  file.attribute("wall_s", 1.5);
  file.dataset("packet_crc32", std::vector<std::uint32_t>{1, 2});
  file.dataset("windows", std::vector<std::int64_t>{0, 2}, 2);
  file.dataset("stage_names", std::vector<std::string>{"decode"});
  file.dataset("stage_busy_s", std::vector<double>{1});
  file.dataset("events", std::vector<std::string>{});
  file.dataset("seam_frames", std::vector<std::int64_t>{});
  file.dataset("seam_luma", std::vector<std::uint16_t>{}, 4);
  const std::string bytes = file.finish();
  const Record record = decode_record(bytes);
  EXPECT_EQ(record.file, "file");
  EXPECT_EQ(record.checksums, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(record.measures, FrameMeasures{});
  EXPECT_TRUE(record.previews.empty());
  EXPECT_EQ(read_preview(bytes, "middle"), std::nullopt);
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
