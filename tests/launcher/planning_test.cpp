#include "planning.hpp"

#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/job/job_file.hpp"
#include "vsr/model/tiling.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vsr::launcher {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kGB = 1'000'000'000;
constexpr model::NetworkShape kNetwork{.mid_channels = 64, .num_blocks = 7};

Job job_with(const KeyValues& values) {
  KeyValues all = {{"input.file", "film.mkv"}};
  all.insert(all.end(), values.begin(), values.end());
  return make_job(all, {});
}

model::UpscalerOptions pal_options(bool cuda) {
  model::UpscalerOptions options;
  options.device.cuda = cuda;
  options.precision = cuda ? Precision::kFp16 : Precision::kFp32;
  options.input = {1024, 432, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  return options;
}

Resources with_gpu(std::uint64_t bytes) {
  Resources rank;
  rank.gpu = "a card";
  rank.gpu_free_bytes = bytes;
  rank.host_bytes = 64 * kGB;
  return rank;
}

// In a film of many segments.
WindowSize window_for(const KeyValues& values,
                      const model::UpscalerOptions& options,
                      const std::vector<Resources>& ranks) {
  return choose_window(job_with(values), kNetwork, options, 100'000, ranks);
}

int auto_window(const std::vector<Resources>& ranks, const KeyValues& values = {}) {
  KeyValues all = {{"stream.tile", "off"}};
  all.insert(all.end(), values.begin(), values.end());
  return window_for(all, pal_options(true), ranks).max_seq_len;
}

TEST(MaxSeqLen, WhatTheUserSaysHolds) {
  EXPECT_EQ(auto_window({with_gpu(kGB)}, {{"stream.max_seq_len", "27"}}), 27);
}

TEST(MaxSeqLen, ALargeCardGetsAnEighthOfASegmentAndTheOverlap) {
  EXPECT_EQ(
      auto_window({with_gpu(80 * kGB)}, {{"segment.frames", "800"}, {"stream.overlap", "10"}}),
      120);
  EXPECT_EQ(auto_window({with_gpu(80 * kGB)}, {{"segment.frames", "30"}, {"stream.overlap", "4"}}),
            56);
}

TEST(MaxSeqLen, WithoutAnEncoderToWaitForItIsAQuarter) {
  model::UpscalerOptions options = pal_options(true);
  options.prores_packets = true;
  const KeyValues values = {{"segment.frames", "800"}, {"stream.overlap", "10"}};
  EXPECT_EQ(window_for(values, options, {with_gpu(80 * kGB)}).max_seq_len, 220);
}

TEST(MaxSeqLen, FitsTheSmallestCard) {
  const int large = auto_window({with_gpu(80 * kGB)});
  const int small = auto_window({with_gpu(10 * kGB)});
  EXPECT_LT(small, large);
  EXPECT_GT(small, 1);
  EXPECT_EQ(auto_window({with_gpu(80 * kGB), with_gpu(10 * kGB), with_gpu(40 * kGB)}), small);
  const auto room = static_cast<std::uint64_t>(0.85 * 10 * kGB);
  EXPECT_LE(model::Upscaler::window_bytes(kNetwork, pal_options(true), small), room);
  EXPECT_GT(model::Upscaler::window_bytes(kNetwork, pal_options(true), small + 1), room);
}

TEST(MaxSeqLen, ARankWithoutAGpuBesideOthersDoesNotCount) {
  EXPECT_EQ(auto_window({with_gpu(80 * kGB), with_gpu(0)}), auto_window({with_gpu(80 * kGB)}));
}

TEST(MaxSeqLen, TooLittleMemoryForOneFrameIsAnError) {
  try {
    auto_window({with_gpu(kGB)});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kGpu);
    EXPECT_THAT(error.what(), HasSubstr("GPU memory do not hold one frame of 1024x432"));
  }
  Resources poor;
  poor.host_bytes = kGB / 100;
  try {
    window_for({}, pal_options(false), {poor});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("host memory"));
  }
}

// Features in host memory, and what is left of the GPU's.
class HostFeatures : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!gpu::built_with_cuda()) GTEST_SKIP() << "the fused network is not in this build";
    options_.host_features = true;
  }

  static Resources rank(std::uint64_t gpu_bytes, std::uint64_t host_bytes) {
    Resources made = with_gpu(gpu_bytes);
    made.host_bytes = host_bytes;
    return made;
  }

  int window(const std::vector<Resources>& ranks, const KeyValues& values = {}) const {
    KeyValues all = {{"stream.tile", "off"}};
    all.insert(all.end(), values.begin(), values.end());
    return window_for(all, options_, ranks).max_seq_len;
  }

  std::uint64_t host_bytes(int frames) const {
    return model::Upscaler::host_bytes(kNetwork, options_, frames);
  }

  // An eighth of a segment of 480 frames and two overlaps.
  static constexpr int kLongest = 84;
  model::UpscalerOptions options_ = pal_options(true);
};

TEST_F(HostFeatures, TakeFourMapsAFrameOfTheHostAndNextToNothingOfTheGpu) {
  constexpr std::uint64_t kMap = std::uint64_t{1024} * 432 * 64 * 2;
  // The window's frames and the two before them, in whole rings of four.
  EXPECT_EQ(host_bytes(1), 4 * 4 * kMap);
  EXPECT_EQ(host_bytes(2), 4 * 4 * kMap);
  EXPECT_EQ(host_bytes(3), 4 * 8 * kMap);
  EXPECT_EQ(host_bytes(80), 4 * 84 * kMap);
  const auto on_gpu = [&](bool host, int frames) {
    model::UpscalerOptions options = options_;
    options.host_features = host;
    return model::Upscaler::window_bytes(kNetwork, options, frames);
  };
  // Sixteen maps remain; 80 frames have 82 of each kind else.
  const auto saved = static_cast<double>(on_gpu(false, 80) - on_gpu(true, 80));
  EXPECT_NEAR(saved, 4.0 * (82 - 4) * kMap, 0.01 * saved);
  const auto by_frame = (on_gpu(true, 82) - on_gpu(true, 2)) / 80;
  EXPECT_LT(by_frame, kMap / 2);
  options_.host_features = false;
  EXPECT_EQ(host_bytes(80), 0u);
}

TEST_F(HostFeatures, OfTilesAreThoseOfOneTile) {
  options_.tile = {512, 256, 32};
  const auto tiling = model::tiling_of(kNetwork, options_.input, options_.tile);
  ASSERT_GT(tiling.count(), 1);
  const auto pixels = static_cast<std::uint64_t>(tiling.across.tile()) *
                      static_cast<std::uint64_t>(tiling.down.tile());
  EXPECT_EQ(host_bytes(50), 4 * 52 * pixels * 64 * 2);
}

TEST_F(HostFeatures, LetASmallCardHaveLongWindows) {
  const Resources small = rank(12 * kGB, 256 * kGB);
  EXPECT_EQ(window({small}), kLongest);
  options_.host_features = false;
  EXPECT_LT(window({small}), kLongest / 2);
}

TEST_F(HostFeatures, FitTheSmallestHost) {
  const Resources poor = rank(80 * kGB, 20 * kGB);
  const int frames = window({rank(80 * kGB, 256 * kGB), poor});
  EXPECT_GT(frames, 1);
  EXPECT_LE(host_bytes(frames), 10 * kGB);
  EXPECT_GT(host_bytes(frames + 1), 10 * kGB);
  // What the GPU has left binds as ever.
  EXPECT_LT(window({rank(8 * kGB, 256 * kGB)}), kLongest);
}

TEST_F(HostFeatures, TooMuchForTheHostEvenOfOneFrameIsAnError) {
  try {
    window({rank(80 * kGB, kGB)});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(
        error.what(),
        HasSubstr("500 MB of host memory do not hold the features of one frame of 1024x432"));
    EXPECT_THAT(error.what(), HasSubstr("set stream.features = device"));
  }
}

TEST_F(HostFeatures, AreAskedForByTheJob) {
  const auto options = [](const KeyValues& values) {
    return upscaler_options(job_with(values), media::Timeline{}, {.cuda = true});
  };
  EXPECT_FALSE(options({}).host_features);
  EXPECT_TRUE(options({{"stream.features", "host"}}).host_features);
}

TEST_F(HostFeatures, NeedTheFusedNetwork) {
  PictureFormat upscaled = options_.input;
  upscaled.width *= 4;
  upscaled.height *= 4;
  EXPECT_NO_THROW(set_output(options_, job_with({}), kNetwork, upscaled));
  for (const bool cuda : {true, false}) {
    model::UpscalerOptions options = pal_options(cuda);
    options.backend = Backend::kReference;
    options.host_features = true;
    try {
      set_output(options, job_with({}), kNetwork, upscaled);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr("stream.features=host needs the fused network"));
    }
  }
}

model::UpscalerOptions options_of(int width, int height) {
  model::UpscalerOptions options = pal_options(true);
  options.input.width = width;
  options.input.height = height;
  return options;
}

std::uint64_t bytes_of(model::UpscalerOptions options, const WindowSize& window, int more = 0) {
  options.tile = window.tile;
  return model::Upscaler::window_bytes(kNetwork, options, window.max_seq_len + more);
}

TEST(Tiles, PicturesStayWholeWhereAShortWindowFits) {
  const auto options = options_of(1024, 432);
  constexpr int kShortest = 25;  // something between two overlaps of 12
  const auto needed = model::Upscaler::window_bytes(kNetwork, options, kShortest);
  const auto rank =
      with_gpu(static_cast<std::uint64_t>(static_cast<double>(needed) / 0.85) + kGB / 100);
  const auto window = window_for({}, options, {rank});
  EXPECT_TRUE(window.tile.whole());
  EXPECT_EQ(window.max_seq_len, kShortest);
}

TEST(Tiles, AreChosenWhereItDoesNot) {
  const auto options = options_of(3840, 2160);
  const Resources rank = with_gpu(80 * kGB);
  const auto window = window_for({}, options, {rank});
  EXPECT_FALSE(window.tile.whole());
  EXPECT_EQ(window.tile.overlap, 32);
  EXPECT_GT(window.max_seq_len, 20);
  const auto room = static_cast<std::uint64_t>(0.85 * 80 * kGB);
  EXPECT_LE(bytes_of(options, window), room);
  EXPECT_GT(bytes_of(options, window, 1), room);
  // The same as asked for by name.
  const auto again = window_for(
      {{"stream.tile", format("{}x{}", window.tile.width, window.tile.height)}}, options, {rank});
  EXPECT_EQ(again, window);
  // No other number of tiles computes less twice.
  const auto work = [&](const WindowSize& size) {
    return model::tiling_of(kNetwork, options.input, size.tile).work() * size.max_seq_len /
           (size.max_seq_len - 20);
  };
  for (const char* tile : {"2048x2160", "1936x1096", "1302x1096", "992x752", "512x512"}) {
    const auto other = window_for({{"stream.tile", tile}}, options, {rank});
    if (other.max_seq_len <= 20) continue;
    EXPECT_LE(work(window), work(other)) << tile;
  }
}

TEST(Tiles, OffMeansWholeWhateverItCosts) {
  const KeyValues off = {{"stream.tile", "off"}};
  // What a short window takes is not the same in builds with and without CUDA.
  const auto card_for = [](const model::UpscalerOptions& options, int frames) {
    return with_gpu(static_cast<std::uint64_t>(
        0.99 / 0.85 *
        static_cast<double>(model::Upscaler::window_bytes(kNetwork, options, frames))));
  };
  const auto hd = options_of(1920, 1080);
  const auto whole = window_for(off, hd, {card_for(hd, 21)});
  EXPECT_TRUE(whole.tile.whole());
  EXPECT_LT(whole.max_seq_len, 21);
  const auto uhd = options_of(3840, 2160);
  try {
    window_for(off, uhd, {card_for(uhd, 1)});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kGpu);
    EXPECT_THAT(error.what(), HasSubstr("set stream.tile = auto"));
  }
}

TEST(Tiles, OfASizeAskedForHold) {
  const auto options = options_of(1024, 432);
  const auto window = window_for({{"stream.tile", "600x512"}}, options, {with_gpu(80 * kGB)});
  EXPECT_EQ(window.tile, (TileSize{600, 512, 32}));
  EXPECT_TRUE(
      window_for({{"stream.tile", "1024x512"}}, options, {with_gpu(80 * kGB)}).tile.whole());
}

TEST(Tiles, OfAFilmThatIsOneWindowAreAsFewAsHoldIt) {
  const auto options = options_of(3840, 2160);
  const Resources rank = with_gpu(80 * kGB);
  const auto short_film = choose_window(job_with({}), kNetwork, options, 21, {rank});
  EXPECT_EQ(short_film.max_seq_len, 21);
  const auto tiles = [&](const WindowSize& window) {
    return model::tiling_of(kNetwork, options.input, window.tile).count();
  };
  EXPECT_LT(tiles(short_film), tiles(window_for({}, options, {rank})));
}

TEST(Tiles, AreChosenForTheWindowAskedFor) {
  const auto options = options_of(1920, 1080);
  const auto window = window_for({{"stream.max_seq_len", "100"}}, options, {with_gpu(80 * kGB)});
  EXPECT_EQ(window.max_seq_len, 100);
  EXPECT_FALSE(window.tile.whole());
  EXPECT_LE(bytes_of(options, window), static_cast<std::uint64_t>(0.85 * 80 * kGB));
}

// Whose memory would be taken at once.
TEST(Tiles, AreNotChosenForAWindowLongerThanTheFilm) {
  const auto options = options_of(1920, 1080);
  const Job job = job_with({{"stream.max_seq_len", "100"}});
  const auto window = choose_window(job, kNetwork, options, 15, {with_gpu(80 * kGB)});
  EXPECT_EQ(window.max_seq_len, 15);
  EXPECT_TRUE(window.tile.whole());
}

std::map<std::string, std::string> identity_with(const KeyValues& values) {
  KeyValues all = {{"input.file", (test::source_dir() / "tests/data/reds_demo_000.mkv").string()}};
  all.insert(all.end(), values.begin(), values.end());
  return look_at(make_job(all, {})).identity;
}

TEST(Identity, HoldsWhatOfTheFinalEncodeTheSegmentsDependOn) {
  const auto mezzanines = identity_with({});
  const auto sized = identity_with({{"segment.size", "final"}});
  const auto chunks = identity_with({{"segment.codec", "none"}});
  EXPECT_FALSE(mezzanines.contains("final.height"));
  EXPECT_EQ(sized.at("final.height"), "1440");
  EXPECT_FALSE(sized.contains("final.crf"));
  for (const char* key : {"height", "fps", "encoder", "preset", "crf", "tune", "params"}) {
    EXPECT_TRUE(chunks.contains(std::string("final.") + key)) << key;
  }
  for (const char* key : {"final.variants", "final.audio_codec", "final.audio_bitrate"}) {
    EXPECT_FALSE(chunks.contains(key)) << key;
  }
}

// The preset as shipped gives the recipe, word for word.
TEST(BackEnd, FusedIsNotGivenUpForTheCpuInSilence) {
  media::Timeline timeline;
  timeline.format = {64, 64, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  const PictureFormat upscaled = {256, 256, ColourModel::kYuv, ChromaSubsampling::k422, 10};
  const model::DeviceSpec cpu;
  model::UpscalerOptions options = upscaler_options(job_with({}), timeline, cpu);
  set_output(options, job_with({}), kNetwork, upscaled);
  EXPECT_EQ(model::Upscaler::backend_for(kNetwork, options), Backend::kReference);
  const Job fused = job_with({{"model.backend", "fused"}});
  options = upscaler_options(fused, timeline, cpu);
  try {
    set_output(options, fused, kNetwork, upscaled);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
    EXPECT_THAT(error.what(), HasSubstr("the fused back end"));
    EXPECT_THAT(error.what(), HasSubstr("set model.backend = auto or reference"));
  }
}

// A film of 48 frames that changes at once at 11 and 30, and at 20 for one frame.
class SceneCuts : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made = test::run_process(
        {"ffmpeg",
         "-nostdin",
         "-v",
         "error",
         "-f",
         "lavfi",
         "-i",
         "testsrc2=s=64x64:r=25,trim=end_frame=48,hflip=enable='between(n,11,29)',"
         "negate=enable='gte(n,30)+eq(n,20)'",
         "-c:v",
         "mpeg2video",
         "-g",
         "12",
         "-bf",
         "2",
         "-q:v",
         "2",
         film().string()});
    ASSERT_EQ(made.status, 0) << made.output;
  }

  std::filesystem::path film() const { return folder_.path() / "film.mkv"; }

  store::Plan plan(const std::string& run, const KeyValues& values = {}, std::size_t ranks = 1) {
    KeyValues all = {{"input.file", film().string()},
                     {"segment.frames", "12"},
                     {"stream.overlap", "2"},
                     {"stream.device", "cpu"}};
    all.insert(all.end(), values.begin(), values.end());
    const Job job = make_job(all, {});
    const store::RunDirectory directory(folder_.path() / run);
    Resources rank;
    rank.host_bytes = 64 * kGB;
    const std::atomic<int> stop = 0;
    return prepare(
               job,
               look_at(job),
               directory,
               std::vector<Resources>(ranks, rank),
               [](const Prepared&) {},
               stop)
        .plan;
  }

  static std::vector<FrameRange> cores(const store::Plan& plan) {
    std::vector<FrameRange> cores;
    for (const Segment& segment : plan.segments) cores.push_back(segment.core);
    return cores;
  }

  test::TemporaryFolder folder_;
};

using Cores = std::vector<FrameRange>;

// It has not the model, and windows are as the job that upscales has planned them.
TEST_F(SceneCuts, AJobThatOnlyEncodesTakesAPlanOfAnyModelAndMakesNone) {
  const KeyValues values = {{"input.file", film().string()},
                            {"segment.frames", "12"},
                            {"stream.overlap", "2"},
                            {"model.checkpoint", "/nowhere/weights.pth"}};
  const Job job = make_job(values, {});
  const store::RunDirectory directory(folder_.path() / "run");
  EXPECT_FALSE(prepare_to_encode(job, look_at_film(job), directory));
  EXPECT_FALSE(directory.read_plan());
  const store::Plan made = plan("run");
  const auto prepared = prepare_to_encode(job, look_at_film(job), directory);
  ASSERT_TRUE(prepared);
  EXPECT_EQ(prepared->plan.fingerprint(), made.fingerprint());
  EXPECT_EQ(prepared->plan.max_seq_len, made.max_seq_len);
  EXPECT_EQ(prepared->timeline.frames(), 48);
  KeyValues other = values;
  other[1].second = "24";
  const Job differs = make_job(other, {});
  try {
    static_cast<void>(prepare_to_encode(differs, look_at_film(differs), directory));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("segment.frames"));
  }
}

TEST_F(SceneCuts, EndSegmentsAndAreKeptInThePlan) {
  const store::Plan made = plan("run");
  // 24 has no cut within three frames, 36 neither.
  EXPECT_EQ(cores(made), (Cores{{0, 11}, {11, 24}, {24, 36}, {36, 48}}));
  EXPECT_EQ(made.identity.at("segment.scene_cuts"), "on");
  EXPECT_EQ(cores(plan("wide", {{"segment.frames", "22"}})), (Cores{{0, 22}, {22, 48}}));
  EXPECT_EQ(cores(plan("wider", {{"segment.frames", "26"}})), (Cores{{0, 30}, {30, 48}}));
  EXPECT_EQ(cores(plan("longest", {{"segment.frames", "26"}, {"stream.max_seq_len", "2000"}})),
            (Cores{{0, 30}, {30, 48}}));
}

TEST_F(SceneCuts, DoNotCountWhereTheyAreOff) {
  const store::Plan made = plan("run", {{"segment.scene_cuts", "off"}});
  EXPECT_EQ(cores(made), (Cores{{0, 12}, {12, 24}, {24, 36}, {36, 48}}));
  EXPECT_NE(made.fingerprint(), plan("other").fingerprint());
  // The key alone makes it another plan, and a run of the other is refused.
  store::Plan same = made;
  same.identity["segment.scene_cuts"] = "on";
  EXPECT_NE(made.fingerprint(), same.fingerprint());
  try {
    plan("run");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("segment.scene_cuts was 'off', is now 'on'"));
  }
}

TEST_F(SceneCuts, AreTheSameForAnyNumberOfRanksAndAfterAResume) {
  const store::Plan one = plan("run");
  EXPECT_EQ(plan("run").fingerprint(), one.fingerprint());
  EXPECT_EQ(plan("run", {}, 3).fingerprint(), one.fingerprint());
  EXPECT_EQ(plan("two", {}, 2).fingerprint(), one.fingerprint());
}

TEST_F(SceneCuts, OfAFilmThatIsDecodedOnceAreThoseOfTheCopy) {
  const store::Plan made = plan("run", {{"preprocess.mezzanine", "always"}});
  EXPECT_EQ(cores(made), (Cores{{0, 11}, {11, 24}, {24, 36}, {36, 48}}));
}

TEST_F(SceneCuts, AnUnevenSegmentIsNoLongerThanItsWindow) {
  const store::Plan made = plan("run", {{"segment.frames", "26"}, {"stream.max_seq_len", "2000"}});
  EXPECT_EQ(made.max_seq_len, 32);  // 30 and the overlap behind it
}

store::Plan plan_of_a_film() {
  store::Plan plan;
  plan.timeline_frames = 1000;
  plan.timeline_rate = Rational(25, 1);
  plan.picture = {4096, 1728, ColourModel::kYuv, ChromaSubsampling::k422, 10};
  plan.segments = {{0, {0, 500}, {0, 510}}, {1, {500, 1000}, {490, 1000}}};
  return plan;
}

TEST(Disk, ChunksTakeWhatOneFilmTakes) {
  store::Plan plan = plan_of_a_film();
  plan.identity["segment.codec"] = "none";
  const Job job = job_with({{"segment.codec", "none"}});
  const double chunks =
      segment_bytes(job, plan, plan.segments[0]) + segment_bytes(job, plan, plan.segments[1]);
  EXPECT_NEAR(film_bytes(job, plan) / chunks, 2, 1e-9);  // pitchOK and pitchLOW
  const Job as_it_is = job_with({{"segment.codec", "none"}, {"final.fps", "source"}});
  EXPECT_NEAR(film_bytes(as_it_is, plan) / chunks, 1, 1e-9);
  const Job lighter = job_with({{"segment.codec", "none"}, {"final.crf", "22"}});
  EXPECT_NEAR(film_bytes(lighter, plan) / chunks, 1, 1e-9);
}

TEST(Disk, MezzaninesHoldTheirHaloAndFilmsTheMastersSize) {
  const store::Plan plan = plan_of_a_film();
  const Job job = job_with({});
  EXPECT_NEAR(segment_bytes(job, plan, plan.segments[0]), 510 * 0.6 * 4096 * 1728, 1);
  const Job native = job_with({{"final.height", "native"}});
  EXPECT_LT(film_bytes(job, plan), film_bytes(native, plan));
  const Job copied = job_with({{"final.encoder", "copy"}, {"final.height", "native"}});
  EXPECT_NEAR(film_bytes(copied, plan), 2 * 1000 * 0.6 * 4096 * 1728, 1);
}

TEST(TimelineOptions, ThePalPresetIsTheRecipe) {
  const auto file = test::source_dir() / "configs/pal-dvd-1440p24.ini";
  media::SourceInfo dvd;
  dvd.video.format = {720, 576, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  dvd.video.field_order = media::FieldOrder::kTopFirst;
  const auto options =
      timeline_options(make_job(read_job_file(file.string()), {{"input.file", "film.mkv"}}), dvd);
  EXPECT_EQ(options.filters,
            "bwdif=mode=send_frame:parity=tff:deint=all,"
            "zscale=w=1024:h=576:matrixin=bt470bg:matrix=bt709:filter=bicubic,"
            "setparams=colorspace=1:color_primaries=1:color_trc=1,"
            "setsar=1,crop=1024:432:0:72");
}

TEST(TimelineOptions, TheJobKnowsBetterThanAFalseTag) {
  media::SourceInfo tagged;
  tagged.video.format = {320, 180, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  tagged.video.colour.matrix = Matrix::kBt601;
  tagged.video.matrix_tagged = true;
  const Job job = job_with({{"preprocess.matrix_in", "bt709"}});
  EXPECT_EQ(timeline_options(job, tagged).filters, "setparams=colorspace=1");
  tagged.video.colour.matrix = Matrix::kBt709;
  EXPECT_EQ(timeline_options(job, tagged).filters, "") << "the tag says the same";
  tagged.video.matrix_tagged = false;
  tagged.video.colour.matrix = Matrix::kBt601;
  EXPECT_EQ(timeline_options(job, tagged).filters, "") << "a guess is replaced";
}

TEST(TimelineOptions, TheUsersOwnGraphIsTakenAsItIs) {
  const auto options =
      timeline_options(job_with({{"preprocess.filters", "hqdn3d=2,crop=640:480"}}), {});
  EXPECT_EQ(options.filters, "hqdn3d=2,crop=640:480");
}

TEST(Decoding, OnTheCpuNoGpuIsAskedFor) {
  EXPECT_FALSE(decode_device(job_with({}).stream, 3).nvdec);
  check_decoding(job_with({}), {}, "its times are broken");
}

TEST(Decoding, AFilmReadFromALosslessCopyIsNotForNvdec) {
  const Job job = job_with({{"stream.decode", "nvdec"}});
  media::Timeline copy;
  copy.own_mezzanine = true;
  for (const auto& [timeline, why] :
       {std::pair{media::Timeline(), std::optional<std::string>("its times are broken")},
        std::pair{copy, std::optional<std::string>()}}) {
    try {
      check_decoding(job, timeline, why);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr("lossless copy"));
      EXPECT_THAT(error.what(), HasSubstr("stream.decode = cpu"));
      EXPECT_THAT(error.what(), HasSubstr(why.value_or("")));
    }
  }
}

TEST(Decoding, WithoutAGpuNvdecIsAnErrorThatSaysWhy) {
  const Job job = job_with({{"stream.decode", "nvdec"}});
  if (gpu::device_count() > 0) {
    EXPECT_TRUE(decode_device(job.stream, 0).nvdec);
    return;
  }
  try {
    decode_device(job.stream, 0);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kGpu);
    EXPECT_THAT(error.what(), HasSubstr("stream.decode = nvdec, but there is no GPU to use: "));
    EXPECT_THAT(error.what(), HasSubstr(gpu::unavailable_reason()));
  }
}

TEST(TimelineOf, FilmAndRunDirectoryMayBeMoved) {
  const test::TemporaryFolder folder;
  const store::RunDirectory moved(folder.path() / "moved");
  store::Plan plan;
  media::Timeline stored;
  stored.rate = Rational(25, 1);
  stored.format = {64, 64, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  stored.source_picture = {0, 1};
  stored.seekable = false;
  plan.timeline = stored.serialize();
  EXPECT_EQ(timeline_of(plan, job_with({{"input.file", "/new/film.mkv"}}), moved).source,
            "/new/film.mkv");
  stored.own_mezzanine = true;
  stored.source = "timeline.mkv";
  plan.timeline = stored.serialize();
  EXPECT_EQ(timeline_of(plan, job_with({}), moved).source, moved.timeline_mezzanine());
}

TEST(Resources, TravelAsText) {
  Resources rank = with_gpu(80 * kGB);
  rank.cpus = 16;
  rank.host = "";  // a container without a name
  rank.gpu = "NVIDIA H100 80GB HBM3";
  rank.gpu_id = "GPU-1f2e3d4c-0000-1111-2222-333344445555";
  rank.processors = {0, 1, 17};
  rank.processors_by_quota = 2.5;
  const Resources back = decode_resources(encode(rank));
  EXPECT_EQ(back.cpus, 16);
  EXPECT_EQ(back.host, "");
  EXPECT_EQ(back.gpu, rank.gpu);
  EXPECT_EQ(back.gpu_id, rank.gpu_id);
  EXPECT_EQ(back.gpu_free_bytes, rank.gpu_free_bytes);
  EXPECT_EQ(back.host_bytes, rank.host_bytes);
  EXPECT_EQ(back.processors, rank.processors);
  EXPECT_EQ(back.processors_by_quota, 2.5);
  EXPECT_THROW(decode_resources("hello"), Error);
  EXPECT_THROW(decode_resources("16 1000 0 0 2.5 3 0 1"), Error) << "a processor is missing";
}

// Of `processors` each; a quota of so many of them (0: none).
std::vector<int> shares(std::vector<std::vector<int>> processors, double quota = 0) {
  std::vector<Resources> ranks;
  for (auto& each : processors) {
    Resources rank;
    rank.host = "pod";
    rank.processors_by_quota = quota > 0 ? quota : 1e6;
    rank.processors = std::move(each);
    ranks.push_back(std::move(rank));
  }
  share_processors(ranks);
  std::vector<int> cpus;
  for (const Resources& rank : ranks) cpus.push_back(rank.cpus);
  return cpus;
}

TEST(Resources, ProcessorsAreSharedByThoseThatAreBoundToThem) {
  const std::vector<int> all{0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(shares({all}), (std::vector<int>{8}));
  EXPECT_EQ(shares({all, all}), (std::vector<int>{4, 4}));
  EXPECT_EQ(shares({{0, 1, 2, 3}, {4, 5, 6, 7}}), (std::vector<int>{4, 4})) << "--bind-to numa";
  EXPECT_EQ(shares({{0, 1, 2, 3}, {0, 1, 2, 3}, {4, 5, 6, 7}}), (std::vector<int>{2, 2, 4}));
  EXPECT_EQ(shares({all, all, all}), (std::vector<int>{2, 2, 2}));
  EXPECT_EQ(shares({{0}, {0}}), (std::vector<int>{1, 1})) << "at least one";
  EXPECT_EQ(shares({all, all}, 4), (std::vector<int>{2, 2})) << "by a quota of half of them";
  EXPECT_EQ(shares({{0, 1, 2, 3}, {4, 5, 6, 7}}, 4), (std::vector<int>{2, 2})) << "bound or not";
  EXPECT_EQ(shares({{}}), (std::vector<int>{1}));
  std::vector<Resources> hosts(2);
  for (Resources& rank : hosts) {
    rank.processors = all;
    rank.processors_by_quota = 8;
  }
  hosts[0].host = "one";
  hosts[1].host = "another";
  share_processors(hosts);
  EXPECT_EQ(hosts[0].cpus, 8) << "other hosts have processors of the same numbers";
}

}  // namespace
}  // namespace vsr::launcher
