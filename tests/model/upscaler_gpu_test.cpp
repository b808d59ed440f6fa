// Upscaler on a GPU, held to the CPU's pictures. Skips where there is no GPU.
#include "checkpoint_files.hpp"
#include "upscaler_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/device.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vsr::model {
namespace {

using test::Clip;
using test::Collector;
using test::options_for;
using test::Pictures;
using test::psnr_db;
using test::upload_all;
using test::upscale;

// Of the luma samples, in 0 to 1.
double mean_luma(const std::vector<std::byte>& picture, const PictureFormat& format) {
  const std::size_t samples = static_cast<std::size_t>(format.width) * format.height;
  double sum = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    sum += std::to_integer<int>(picture[2 * i]) + 256 * std::to_integer<int>(picture[2 * i + 1]);
  }
  return sum / static_cast<double>(samples) / 65535.0;
}

constexpr PictureFormat kPicture{131, 75, ColourModel::kYuv, ChromaSubsampling::k420, 8};

class UpscalerOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    if (!vsr::test::shared_dir()) GTEST_SKIP() << "no golden data beside the checkout";
    checkpoint_ = test::checkpoint_or_nothing("c16n2.pth");
  }

  UpscalerOptions options(Precision precision, bool cuda = true) const {
    UpscalerOptions made = options_for(kPicture, {.cuda = cuda, .index = 0});
    made.precision = precision;
    made.output_bit_depth = 16;
    return made;
  }

  std::optional<Checkpoint> checkpoint_;
};

TEST_F(UpscalerOnGpu, EveryPrecisionStaysCloseToTheCpu) {
  Clip clip(kPicture, 5);
  Upscaler on_cpu(*checkpoint_, options(Precision::kFp32, false));
  const Pictures expected = upscale(on_cpu, clip, {0, 5});
  for (const auto& [precision, least] : {std::pair{Precision::kFp32, 90.0},
                                         std::pair{Precision::kTf32, 55.0},
                                         std::pair{Precision::kFp16, 50.0},
                                         std::pair{Precision::kBf16, 38.0}}) {
    Upscaler upscaler(*checkpoint_, options(precision));
    const double psnr = psnr_db(upscale(upscaler, clip, {0, 5}), expected);
    EXPECT_GE(psnr, least) << to_string(precision);
    RecordProperty(to_string(precision), ::testing::PrintToString(psnr));
  }
}

TEST_F(UpscalerOnGpu, FramesSharedByWindowsAndUploadsInBetweenChangeNothing) {
  Clip clip(kPicture, 6);
  Upscaler upscaler(*checkpoint_, options(Precision::kFp32));
  const Pictures expected = upscale(upscaler, clip, {0, 6});
  auto frames = upload_all(upscaler, clip);
  for (int round = 0; round < 5; ++round) {
    Collector sink(upscaler.output_format());
    upscaler.run(frames, {0, 6}, sink);
    frames = upload_all(upscaler, clip);  // while the old ones may still be in use
    EXPECT_GE(psnr_db(sink.pictures, expected), 90) << round;
  }
}

// A network that is unsure of the motion, as around a flash, may say flows of 1e5 pixels, which
// half cannot hold: without care every frame from there on is black.
TEST_F(UpscalerOnGpu, HugeFlowsDoNotPoisonHalfPrecision) {
  auto tensors = Checkpoint::read(vsr::test::source_dir() / "models/mix_c32n3.pth").tensors();
  // Pixels of the smallest level, doubled five times on the way.
  for (float& bias : tensors.at("spynet.basic_module.0.basic_module.4.conv.bias").values) {
    bias += 5000;
  }
  const std::string content = test::safetensors_of(tensors);
  const auto unsure = Checkpoint::read(std::as_bytes(std::span(content)), "huge flows");
  const PictureFormat picture{512, 216, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  Clip clip(picture, 12);
  for (std::size_t t = 3; t < 7; ++t) clip.flash(t);
  UpscalerOptions made = options_for(picture, {.cuda = true, .index = 0});
  made.output_bit_depth = 16;
  made.precision = Precision::kFp32;
  Upscaler full(unsure, made);
  const Pictures expected = upscale(full, clip, {0, 12});
  for (const Precision precision : {Precision::kFp16, Precision::kBf16}) {
    made.precision = precision;
    Upscaler upscaler(unsure, made);
    const Pictures got = upscale(upscaler, clip, {0, 12});
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t t = 0; t < got.size(); ++t) {
      EXPECT_NEAR(mean_luma(got[t], upscaler.output_format()),
                  mean_luma(expected[t], upscaler.output_format()),
                  0.01)
          << to_string(precision) << " frame " << t;
    }
  }
}

TEST_F(UpscalerOnGpu, OutOfMemoryLeavesItUsable) {
  // Far more frames than any card holds: the same few, over and over, cost features each.
  const PictureFormat large{1920, 1080, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  Upscaler upscaler(*checkpoint_, options_for(large, {.cuda = true, .index = 0}));
  Clip clip(large, 1);
  const auto frame = upload_all(upscaler, clip)[0];
  const auto room = gpu::memory_info(0).total_bytes;
  const auto by_frame = upscaler.window_bytes(2) - upscaler.window_bytes(1);
  const std::vector<LrFrame> window(2 * room / by_frame, frame);
  Collector sink(upscaler.output_format());
  EXPECT_THROW(upscaler.run(window, {0, 1}, sink), OutOfMemory);
  upscaler.run(std::span(window).first(2), {0, 2}, sink);
  EXPECT_EQ(sink.pictures.size(), 2u);
}

}  // namespace
}  // namespace vsr::model
