// Segments of films decoded by the GPU's own decoder: the pictures that stay there, those that come
// to the host on their way, and the CPU's give the same mezzanines, packet by packet. Skips, and
// says why, where there is no GPU or its decoder is not to be had.
#include "media/encoded_films.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/upscaler.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace vsr::pipeline {
namespace {

constexpr int kOverlap = 6;
constexpr int kWindow = 16;

struct Case {
  const char* name;
  test::EncodedFilm film;
  std::optional<Rational> fps;  // repeats pictures, or leaves some out
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class NvdecPipeline : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU: " << gpu::unavailable_reason();
    const Case& c = GetParam();
    if (!test::have_encoder(c.film.encoder)) {
      GTEST_SKIP() << "this FFmpeg has no encoder " << c.film.encoder;
    }
    const auto path = folder_.path() / "film.mkv";
    test::encode_film(path, c.film);
    const media::TimelinePlan plan = media::plan_timeline(media::probe(path), {.fps = c.fps});
    ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
    timeline_ = plan.timeline;
    try {
      media::check_nvdec(timeline_, {});
    } catch (const Error& error) {
      const std::string text = error.what();
      if (text.find("Cannot load") == std::string::npos) FAIL() << text;
      GTEST_SKIP() << text;
    }
  }

  model::UpscalerOptions upscaler_options() const {
    model::UpscalerOptions options;
    options.device = {.cuda = true, .index = 0};
    options.precision = Precision::kFp16;
    options.window_frames = kWindow;
    options.input = timeline_.format;
    options.input_colour = timeline_.colour;
    options.output_bit_depth = 10;
    options.prores_packets = true;
    options.digests = true;
    return options;
  }

  struct Made {
    std::vector<std::vector<std::uint32_t>> packets;  // checksums
    std::vector<std::vector<float>> figures;
    std::vector<Preview> previews;
  };

  // Of all segments, in the order in which they are made: the halo of one reaches into the one
  // before, the last comes before the one ahead of it. Every frame is measured, or none.
  Made made_of(const media::DecodeDevice& device,
               model::PictureUpscaler& upscaler,
               bool measured = true) const {
    PipelineOptions options;
    options.max_seq_len = kWindow;
    options.overlap = kOverlap;
    options.decode_threads = 2;
    options.decode_device = device;
    options.pinned = true;
    options.quality = {.every = measured ? 1 : 0, .patience_s = 60};
    SegmentPipeline pipeline(timeline_, upscaler, options);
    const std::atomic<int> stop = 0;
    Made all;
    const std::vector<Segment> segments = plan_segments(timeline_.frames(), {20, kOverlap});
    for (const std::size_t i : {0u, 1u, 2u, 1u}) {
      const SegmentResult result =
          pipeline.run(segments.at(i), folder_.path() / "out.mov", stop, [](std::int64_t) {});
      all.packets.push_back(result.mezzanine.checksums);
      const FrameMeasures& found = result.measures;
      for (const auto* values :
           {&found.luma_mean, &found.sharpness, &found.sharpness_gain, &found.back_projection_db}) {
        all.figures.push_back(*values);
        for (const float value : *values) EXPECT_TRUE(std::isfinite(value));
      }
      all.previews.insert(all.previews.end(), result.previews.begin(), result.previews.end());
    }
    return all;
  }

  test::TemporaryFolder folder_;
  media::Timeline timeline_;
};

TEST_P(NvdecPipeline, MezzaninesAreTheSameWhereverPicturesAreDecodedAndRead) {
  const auto checkpoint = model::Checkpoint::read(test::source_dir() / "models/mix_c32n3.pth");
  model::Upscaler upscaler(checkpoint, upscaler_options());
  ASSERT_TRUE(upscaler.takes_device_pictures());
  media::DecodeDevice nvdec{.nvdec = true, .cuda_context = gpu::driver_context(0)};
  const Made by_cpu = made_of({}, upscaler);
  const Made by_host = made_of(nvdec, upscaler);
  nvdec.stay_on_gpu = true;
  const Made on_gpu = made_of(nvdec, upscaler);
  ASSERT_EQ(by_cpu.packets[1], by_cpu.packets[3]);
  ASSERT_NE(by_cpu.packets[0], by_cpu.packets[1]);
  ASSERT_EQ(by_cpu.previews.size(), 2 * by_cpu.packets.size());
  for (const Made* made : {&by_host, &on_gpu}) {
    EXPECT_EQ(made->packets, by_cpu.packets);
    EXPECT_EQ(made->figures, by_cpu.figures);
    EXPECT_EQ(made->previews, by_cpu.previews);
  }
  EXPECT_EQ(made_of(nvdec, upscaler, false).packets, by_cpu.packets);
  std::printf("%s: %lld frames of %s, the same packets and figures wherever they are made\n",
              GetParam().name,
              static_cast<long long>(timeline_.frames()),
              to_string(timeline_.format).c_str());
}

const std::vector<std::pair<std::string, std::string>> kH264{
    {"preset", "fast"},
    {"x264-params",
     "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-pyramid=normal:threads=1"}};
const std::vector<std::pair<std::string, std::string>> kHevc{
    {"preset", "fast"}, {"x265-params", "keyint=12:min-keyint=12:bframes=3:log-level=none"}};

INSTANTIATE_TEST_SUITE_P(
    Films,
    NvdecPipeline,
    ::testing::Values(
        Case{"H264", {.encoder = "libx264", .options = kH264}, {}},
        Case{"H264Cropped",
             {.encoder = "libx264", .options = kH264, .width = 250, .height = 138},
             {}},
        Case{"H264Repeated",
             {.encoder = "libx264", .options = kH264, .frames = 40},
             Rational(40, 1)},
        Case{
            "H264Thinned", {.encoder = "libx264", .options = kH264, .frames = 80}, Rational(20, 1)},
        Case{"Hevc10", {.encoder = "libx265", .options = kHevc, .bit_depth = 10}, {}}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace vsr::pipeline
