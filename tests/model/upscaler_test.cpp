#include "vsr/model/upscaler.hpp"

#include "upscaler_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/model/network.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace vsr::model {
namespace {

using test::checkpoint_or_nothing;
using test::Clip;
using test::Collector;
using test::options_for;
using test::upload_all;
using test::upscale;

struct Throwing : OutputSink {
  struct Stop {};

  MutablePictureView acquire(std::size_t) override { throw Stop{}; }

  void deliver(std::size_t, gpu::Event) override {}
};

constexpr PictureFormat kSmall{70, 66, ColourModel::kYuv, ChromaSubsampling::k420, 8};

TEST(Upscaler, GivesTheEmittedFramesInOrder) {
  const auto checkpoint = checkpoint_or_nothing("c16n2.pth");
  if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
  Upscaler upscaler(*checkpoint, options_for(kSmall));
  EXPECT_EQ(upscaler.input_format(), kSmall);
  const PictureFormat expected{280, 264, ColourModel::kYuv, ChromaSubsampling::k422, 10};
  EXPECT_EQ(upscaler.output_format(), expected);
  Clip clip(kSmall, 5);
  const auto all = upscale(upscaler, clip, {0, 5});
  ASSERT_EQ(all.size(), 5u);
  Collector sink(upscaler.output_format());
  const auto frames = upload_all(upscaler, clip);
  upscaler.run(frames, {1, 4}, sink);
  EXPECT_EQ(sink.indices, (std::vector<std::size_t>{1, 2, 3}));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(sink.pictures[i], all[i + 1]) << i;
  EXPECT_NE(all[1], all[2]);
}

TEST(Upscaler, AFrameServesSeveralWindows) {
  const auto checkpoint = checkpoint_or_nothing("c16n2.pth");
  if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
  Upscaler upscaler(*checkpoint, options_for(kSmall));
  Clip clip(kSmall, 3);
  const auto frames = upload_all(upscaler, clip);
  Collector first(upscaler.output_format());
  Collector second(upscaler.output_format());
  upscaler.run(frames, {0, 3}, first);
  upscaler.run(frames, {0, 3}, second);
  EXPECT_EQ(first.pictures, second.pictures);
}

// Ranks on one machine get different shares of its cores and must give the same film.
TEST(Upscaler, ThreadsChangeNoBit) {
  const auto checkpoint = checkpoint_or_nothing("c16n2.pth");
  if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
  const PictureFormat format{131, 75, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  Clip clip(format, 4);
  std::vector<std::vector<std::byte>> expected;
  for (const int threads : {1, 2, 3, 4}) {
    UpscalerOptions options = options_for(format);
    options.cpu_threads = threads;
    options.output_bit_depth = 16;  // to see every bit that reaches a film, and some more
    Upscaler upscaler(*checkpoint, options);
    const auto got = upscale(upscaler, clip, {0, 4});
    if (expected.empty()) expected = got;
    EXPECT_EQ(got, expected) << threads << " threads";
  }
}

TEST(Network, ThreadsChangeNoBit) {
  for (const char* name : {"c16n2.pth", "c64n7.pth", "c16n2x1_bare.pth"}) {
    const auto checkpoint = checkpoint_or_nothing(name);
    if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
    const std::int64_t side = checkpoint->shape().low_res_input ? 67 : 257;
    const std::int64_t count = checkpoint->shape().mid_channels > 32 ? 2 : 3;
    Tensor frames{{count, 3, side, side + 2}, {}};
    for (std::int64_t i = 0; i < count * 3 * side * (side + 2); ++i) {
      frames.values.push_back(
          static_cast<float>(0.5 + 0.4 * std::sin(0.11 * static_cast<double>(i % 5003))));
    }
    std::vector<float> expected;
    for (const int threads : {1, 2, 3}) {
      const auto got = Network(*checkpoint, {.cpu_threads = threads}).forward(frames);
      if (expected.empty()) expected = got.values;
      EXPECT_TRUE(got.values == expected) << name << ", " << threads << " threads";
    }
  }
}

TEST(Upscaler, SmallPicturesArePaddedAndCropped) {
  for (const char* name : {"c16n2.pth", "c16n2x1_bare.pth"}) {
    const auto checkpoint = checkpoint_or_nothing(name);
    if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
    const PictureFormat format{37, 22, ColourModel::kYuv, ChromaSubsampling::k444, 10};
    Upscaler upscaler(*checkpoint, options_for(format));
    EXPECT_EQ(upscaler.output_format().width, 37 * checkpoint->shape().scale());
    EXPECT_EQ(upscaler.output_format().height, 22 * checkpoint->shape().scale());
    Clip clip(format, 2);
    EXPECT_EQ(upscale(upscaler, clip, {0, 2}).size(), 2u);
  }
}

TEST(Upscaler, EveryInputFormat) {
  const auto checkpoint = checkpoint_or_nothing("c16n2.pth");
  if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
  for (const PictureFormat format :
       {PictureFormat{65, 64, ColourModel::kYuv, ChromaSubsampling::k420, 10},
        PictureFormat{65, 64, ColourModel::kYuv, ChromaSubsampling::k422, 12},
        PictureFormat{65, 64, ColourModel::kRgb, ChromaSubsampling::k444, 8},
        PictureFormat{65, 64, ColourModel::kRgb, ChromaSubsampling::k444, 16},
        PictureFormat{65, 64, ColourModel::kGray, ChromaSubsampling::k420, 8}}) {
    UpscalerOptions options = options_for(format);
    options.output_model = format.model;
    options.output_bit_depth = format.bit_depth;
    Upscaler upscaler(*checkpoint, options);
    Clip clip(format, 1);
    EXPECT_EQ(upscale(upscaler, clip, {0, 1}).size(), 1u) << to_string(format);
  }
}

TEST(Upscaler, WhatTheSinkThrowsComesThroughAsItWas) {
  const auto checkpoint = checkpoint_or_nothing("c16n2.pth");
  if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
  Upscaler upscaler(*checkpoint, options_for(kSmall));
  Clip clip(kSmall, 2);
  const auto frames = upload_all(upscaler, clip);
  Throwing sink;
  EXPECT_THROW(upscaler.run(frames, {0, 2}, sink), Throwing::Stop);
  EXPECT_EQ(upscale(upscaler, clip, {0, 2}).size(), 2u);
}

TEST(Upscaler, RefusesWhatDoesNotFit) {
  const auto checkpoint = checkpoint_or_nothing("c16n2.pth");
  if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
  UpscalerOptions half = options_for(kSmall);
  half.precision = Precision::kFp16;
  EXPECT_THROW(Upscaler(*checkpoint, half), Error);
  if (gpu::device_count() == 0) {
    try {
      const Upscaler on_gpu(*checkpoint, options_for(kSmall, {.cuda = true}));
      FAIL() << "made an upscaler on a GPU that is not there";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kGpu);
    }
  }
  Upscaler upscaler(*checkpoint, options_for(kSmall));
  PictureFormat other = kSmall;
  other.width = 72;
  Clip clip(other, 1);
  EXPECT_THROW(upscaler.upload(clip.view(0), nullptr), Error);
  Collector sink(upscaler.output_format());
  EXPECT_THROW(upscaler.run({}, {0, 0}, sink), Error);
}

TEST(WindowBytes, GrowEvenlyWithTheWindow) {
  const NetworkShape shape{true, 64, 7};
  const UpscalerOptions options =
      options_for({1024, 432, ColourModel::kYuv, ChromaSubsampling::k422, 10});
  const auto bytes = [&](int frames) { return Upscaler::window_bytes(shape, options, frames); };
  const auto by_frame = bytes(2) - bytes(1);
  EXPECT_NEAR(
      static_cast<double>(bytes(101) - bytes(1)), 100.0 * static_cast<double>(by_frame), 200);
  // Four feature maps of 64 channels in fp32 are most of it.
  const double maps = 4.0 * 64 * 1024 * 432 * 4;
  EXPECT_GT(static_cast<double>(by_frame), maps);
  EXPECT_LT(static_cast<double>(by_frame), 1.2 * maps);
}

}  // namespace
}  // namespace vsr::model
