// The picture: sizes, encoders and their parameters, the same bytes on any machine, joining.
#include "assemble/encoder_params.hpp"
#include "assemble/video_encoder.hpp"
#include "film_fixture.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cmath>
#include <map>
#include <memory>
#include <thread>

namespace vsr::assemble {
namespace {

using test::expect_decodes;
using test::make_segments;
using test::make_source;
using test::packet_times;
using test::probe;
using test::probe_one;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

AssembleSpec small_spec(const TemporaryFolder& folder, const test::SegmentsWanted& wanted) {
  AssembleSpec spec = make_segments(folder.path(), wanted);
  spec.source = make_source(folder.path() / "film.mkv", 1, "", {});
  spec.options.variants = {AudioVariant::kPitchOk};
  return spec;
}

std::filesystem::path assemble_one(const AssembleSpec& spec) {
  return test::assemble_all(spec).files.at(0);
}

// The message of the refusal; empty when there is none.
std::string refusal(const AssembleSpec& spec) {
  try {
    validate(spec);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    return error.what();
  }
  return "";
}

AssembleSpec checkable_spec(const TemporaryFolder& folder) {
  AssembleSpec spec;
  spec.source = make_source(folder.path() / "film.mkv", 0.2, "sine=1000:r=48000:d=0.2");
  spec.picture = media::mezzanine_format(media::MezzanineCodec::kProres, 256, 160);
  spec.options.height = 128;
  spec.options.preset = "ultrafast";
  spec.threads = 2;
  return spec;
}

TEST(PlanTarget, EvenWidthFromTheAspectRatio) {
  AssembleSpec spec;
  const auto size = [&](int width, int height, Rational aspect, int to) {
    spec.picture = media::mezzanine_format(media::MezzanineCodec::kProres, width, height);
    spec.sample_aspect = aspect;
    spec.options.height = to;
    const VideoTarget target = plan_target(spec);
    return vsr::format("{}x{} {}", target.width, target.height, to_string(target.sample_aspect));
  };
  EXPECT_EQ(size(4096, 1728, {1, 1}, 1440), "3414x1440 1");
  EXPECT_EQ(size(2880, 2304, {64, 45}, 1440), "2560x1440 1");
  EXPECT_EQ(size(2880, 2304, {16, 15}, 1440), "1920x1440 1");
  EXPECT_EQ(size(1920, 1080, {1, 1}, 1080), "1920x1080 1");
  EXPECT_EQ(size(2880, 2304, {64, 45}, 0), "2880x2304 64/45");
  EXPECT_EQ(size(321, 181, {1, 1}, 0), "320x180 1");
}

TEST(EncoderParams, TextBecomesPairsAndBack) {
  const EncoderParams params = parse_params("aq-mode=3:aq-strength=0.8:rc-grain=1");
  ASSERT_THAT(params, SizeIs(3));
  EXPECT_EQ(params[1].first, "aq-strength");
  EXPECT_EQ(params[1].second, "0.8");
  EXPECT_EQ(join_params(params), "aq-mode=3:aq-strength=0.8:rc-grain=1");
  EXPECT_THAT(parse_params(""), IsEmpty());
  for (const char* wrong : {"rc-grain", "=1", "a=1:b=", "a=1:a=2"}) {
    EXPECT_THROW(parse_params(wrong), Error) << wrong;
  }
}

TEST(Validate, TheRecipeIsFine) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.options.preset = "slow";
  spec.options.params = "aq-mode=3:aq-strength=0.8:rc-grain=1";
  EXPECT_EQ(refusal(spec), "");
}

TEST(Validate, UnknownParameterIsNamed) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.options.params = "aq-mode=3:aq-strenght=0.8";
  EXPECT_THAT(refusal(spec), HasSubstr("final.params: libx265 does not take 'aq-strenght=0.8'"));
  spec.options.params = "aq-mode=three";
  EXPECT_THAT(refusal(spec), HasSubstr("'aq-mode=three'"));
  spec.options.params = "rc-grain=1:bframes=99";  // a known one that x265 refuses only at opening
  EXPECT_THAT(refusal(spec), HasSubstr("'bframes=99'"));
  spec.options.params = "rc-grain";
  EXPECT_THAT(refusal(spec), HasSubstr("'rc-grain' is no key=value"));
  spec.options.params = "fps=30";
  EXPECT_THAT(refusal(spec), HasSubstr("'fps' follows from the picture"));
  spec.options.params = "preset=slow";
  EXPECT_THAT(refusal(spec), HasSubstr("final.preset"));
}

TEST(Validate, WhatPrintsOrNamesFilesIsRefusedInAnySpelling) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  for (const char* params : {"log-level=3",
                             "log_level=debug",
                             "log=full",
                             "--log-level=3",
                             "csv=x265.csv",
                             "csv-log-level=2",
                             "pass=1",
                             "stats=x.log",
                             "analysis-save=x.dat"}) {
    spec.options.params = params;
    EXPECT_THAT(refusal(spec), HasSubstr("leave it out")) << params;
  }
  spec.options.params = "input_depth=8";
  EXPECT_THAT(refusal(spec), HasSubstr("'input-depth' follows from the picture"));
  spec.options.encoder = "libx264";
  spec.options.params = "dump-yuv=x.yuv";
  EXPECT_THAT(refusal(spec), HasSubstr("leave it out"));
}

TEST(Validate, PresetsAndTunesToChooseFromAreNamed) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.options.preset = "quick";
  EXPECT_EQ(refusal(spec),
            "final.preset=quick: libx265 does not take it; it knows ultrafast, superfast, "
            "veryfast, faster, fast, medium, slow, slower, veryslow, placebo");
  spec.options.preset = "slow";
  spec.options.tune = "film";
  EXPECT_EQ(refusal(spec),
            "final.tune=film: libx265 does not take it; it knows psnr, ssim, grain, zerolatency, "
            "fastdecode, animation, or none");
}

TEST(Validate, DefaultsSuitEveryEncoder) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.options = FinalOptions{.height = 128};
  for (const char* encoder : {"libx265", "libx264", "libsvtav1"}) {
    spec.options.encoder = encoder;
    EXPECT_THAT(refusal(spec), AnyOf("", HasSubstr("built without"))) << encoder;
  }
  EXPECT_EQ(describe_encoder(spec.options), "libsvtav1 preset=4 crf=16 tune=vq");
  // What was set is not touched.
  spec.options.encoder = "libx264";
  spec.options.preset = "fast";
  spec.options.tune = "";
  EXPECT_EQ(describe_encoder(spec.options), "libx264 preset=fast crf=16 aq-mode=3");
}

TEST(Validate, SoundCodecIsLookedUpEvenIfThereIsNoSound) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.source = make_source(folder.path() / "silent.mkv", 0.2, "", {});
  EXPECT_EQ(refusal(spec), "");
  spec.options.audio_codec = "mp5";
  EXPECT_THAT(refusal(spec), HasSubstr("final.audio_codec=mp5"));
}

// A white point at x = 2.5, which x264 refuses as it opens.
TEST(Validate, WrongLightLevelsOfTheFilmAreFoundBeforeAnyWork) {
  const TemporaryFolder folder;
  const ColourDescription pq{.matrix = Matrix::kBt2020Ncl, .primaries = 9, .transfer = 16};
  AssembleSpec spec = make_segments(folder.path(), {.frames = 3, .colour = pq});
  spec.source = folder.path() / "hdr.mkv";
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x64:r=25:d=0.2",
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-x265-params",
                ("log-level=none:master-display=G(13250,34500)B(7500,3000)R(34000,16000)"
                 "WP(15635,16450)L(10000000,50)"),
                spec.source.string()});
  spec.options.variants = {AudioVariant::kPitchOk};
  spec.source = assemble_one(spec);  // in the container too, where it is easily changed
  std::string bytes = read_file(spec.source);
  const std::size_t white_point_x = bytes.find("\x55\xD7\x88");  // Matroska's id, then the length
  ASSERT_NE(white_point_x, std::string::npos);
  bytes.replace(white_point_x + 3, 8, std::string("\x40\x04\0\0\0\0\0\0", 8));
  spec.source = folder.path() / "wrong.mkv";
  write_file(spec.source, bytes);

  spec.options.encoder = "libx264";
  EXPECT_THAT(refusal(spec), HasSubstr("the film's own light levels are wrong: libx264"));
  // As the message says.
  spec.options.params =
      "mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)";
  EXPECT_EQ(refusal(spec), "");
}

TEST(Validate, TuneAmongParamsIsMovedOrRefused) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.options.params = "tune=grain:aq-mode=3";
  EXPECT_EQ(refusal(spec), "");
  spec.options.params = "tune=ssim:aq-mode=3";  // over "auto", which would be grain
  EXPECT_EQ(refusal(spec), "");
  // What the file says of itself is what was done.
  EXPECT_THAT(describe_encoder(spec.options),
              AllOf(HasSubstr(" tune=ssim aq-mode=3"), Not(HasSubstr("grain"))));
  spec.options.params = "tune=grain:aq-mode=3";
  spec.options.tune = "psnr";
  EXPECT_THAT(refusal(spec), HasSubstr("'tune=grain' contradicts final.tune=psnr"));
}

TEST(Validate, EverySettingIsNamed) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  const auto with = [&](auto change) {
    AssembleSpec changed = spec;
    change(changed);
    return refusal(changed);
  };
  EXPECT_THAT(with([](auto& s) { s.options.preset = "slwo"; }), HasSubstr("final.preset=slwo"));
  EXPECT_THAT(with([](auto& s) { s.options.tune = "grian"; }), HasSubstr("final.tune=grian"));
  EXPECT_THAT(with([](auto& s) { s.options.crf = 70; }), HasSubstr("final.crf=70"));
  EXPECT_THAT(with([](auto& s) { s.options.height = 127; }), HasSubstr("final.height=127"));
  EXPECT_THAT(with([](auto& s) { s.options.encoder = "libx266"; }), HasSubstr("libx265"));
  EXPECT_THAT(with([](auto& s) { s.options.encoder = "copy"; }), HasSubstr("final.height=native"));
  EXPECT_THAT(with([](auto& s) { s.options.fps = Rational(1, 1); }), HasSubstr("final.fps=1"));
  EXPECT_THAT(with([](auto& s) { s.options.audio_codec = "mp5"; }),
              HasSubstr("final.audio_codec=mp5"));
  EXPECT_THAT(with([](auto& s) { s.options.variants.clear(); }), HasSubstr("final.variants"));
  EXPECT_THAT(with([](auto& s) {
                s.audio = {StreamChoice::Kind::kList, {1}};
              }),
              HasSubstr("input.audio: there is no track 1"));
  EXPECT_THAT(with([](auto& s) {
                s.subtitles = {StreamChoice::Kind::kList, {0}};
              }),
              HasSubstr("input.subtitles"));
  EXPECT_THAT(with([](auto& s) {
                s.options.encoder = "libsvtav1";
                s.options.preset = "8";
                s.options.tune = "grain";
              }),
              AnyOf(HasSubstr("final.tune=grain"), HasSubstr("built without")));
}

// Numbers that FFmpeg would take for something else are no presets or qualities of SVT-AV1's.
TEST(Validate, SettingsOfAv1AreNumbersOfItsOwn) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.options = FinalOptions{.height = 128, .encoder = "libsvtav1"};
  if (const std::string why = refusal(spec); !why.empty()) GTEST_SKIP() << why;
  for (const char* preset : {"slow", "14", "-1", "4.5", "2*3", "0x4"}) {
    spec.options.preset = preset;
    EXPECT_EQ(
        refusal(spec),
        vsr::format("final.preset={}: libsvtav1 does not take it; it knows whole numbers from "
                    "0 (slow) to 13",
                    preset));
  }
  spec.options.preset = "10";
  for (const double crf : {0.0, 16.5, 64.0}) {
    spec.options.crf = crf;
    EXPECT_THAT(refusal(spec), HasSubstr("libsvtav1 takes whole numbers from 1 to 63"));
  }
  spec.options.crf = 30;
  for (const char* tune : {"vq", "psnr", "0", ""}) {
    spec.options.tune = tune;
    EXPECT_EQ(refusal(spec), "") << tune;
  }
  // Among the parameters, as SVT-AV1's own programs have it.
  spec.options.tune = "auto";
  spec.options.params = "tune=1:film-grain=8";
  EXPECT_EQ(refusal(spec), "");
  EXPECT_EQ(describe_encoder(spec.options), "libsvtav1 preset=10 crf=30 tune=1 film-grain=8");
}

TEST(Validate, WithoutAGpuNvencIsRefusedInOneLine) {
  const TemporaryFolder folder;
  AssembleSpec spec = checkable_spec(folder);
  spec.options = FinalOptions{.height = 128, .encoder = "hevc_nvenc"};
  const std::string refused = refusal(spec);
  if (refused.empty()) GTEST_SKIP() << "this machine has a GPU that encodes";
  EXPECT_THAT(refused, HasSubstr("final.encoder=hevc_nvenc"));
  EXPECT_THAT(refused, AnyOf(HasSubstr("built without"), HasSubstr("libx265 needs no GPU")));
  EXPECT_THAT(refused, Not(HasSubstr("\n")));
}

// What no machine without such a GPU can open is asked of FFmpeg's table of options.
TEST(Validate, EveryOptionOfNvencExistsAndTakesItsValue) {
  FinalOptions options{.encoder = "hevc_nvenc"};
  const AVCodec* codec = avcodec_find_encoder_by_name("hevc_nvenc");
  if (codec == nullptr) GTEST_SKIP() << "this FFmpeg was built without hevc_nvenc";
  const auto set_all = [&] {
    const std::unique_ptr<AVCodecContext, void (*)(AVCodecContext*)> context(
        avcodec_alloc_context3(codec), [](AVCodecContext* c) { avcodec_free_context(&c); });
    std::map<std::string, std::string> is;
    for (const auto& [key, value] : encoder_options(options, {})) {
      EXPECT_NE(av_opt_find(context->priv_data, key.c_str(), nullptr, 0, 0), nullptr) << key;
      EXPECT_GE(av_opt_set(context->priv_data, key.c_str(), value.c_str(), 0), 0)
          << key << '=' << value;
      is[key] = value;
    }
    return is;
  };
  using ::testing::Pair;
  EXPECT_THAT(set_all(),
              ::testing::UnorderedElementsAre(Pair("preset", "p6"),
                                              Pair("tune", "hq"),
                                              Pair("profile", "main10"),
                                              Pair("rc", "vbr"),
                                              Pair("cq", "16"),
                                              Pair("rc-lookahead", "32"),
                                              Pair("spatial-aq", "1")));
  // x265's names, so that a job may change its encoder alone.
  for (const auto& [preset, own] : std::map<std::string, std::string>{
           {"slow", "p6"}, {"veryslow", "p7"}, {"ultrafast", "p1"}, {"p5", "p5"}}) {
    options.preset = preset;
    EXPECT_EQ(set_all()["preset"], own);
  }
  for (const char* tune : {"hq", "ll", "ull"}) {
    options.tune = tune;
    EXPECT_EQ(set_all()["tune"], tune);
  }
  options.preset = "lossless";  // of older drivers, and known to FFmpeg
  EXPECT_THROW(encoder_options(options, {}), Error);
  // The pictures it is given are of 10 bits.
  bool takes = false;
  for (const AVPixelFormat format : media::encoder_pixel_formats(*codec)) {
    takes = takes || format == AV_PIX_FMT_P010LE;
  }
  EXPECT_TRUE(takes);
}

TEST(FinalEncode, TuneIsInEffect) {
  const TemporaryFolder folder;
  AssembleSpec spec = small_spec(folder, {.frames = 25});
  const std::string grain = test::video_hash(assemble_one(spec));
  spec.options.tune = "";
  const std::string none = test::video_hash(assemble_one(spec));
  EXPECT_NE(grain, none);
  // As the recipe had it: moved to where it has an effect, and said so.
  spec.options.params = "tune=grain";
  const AssembleResult moved = test::assemble_all(spec);
  EXPECT_EQ(test::video_hash(moved.files.at(0)), grain);
  EXPECT_THAT(moved.warnings, Contains(HasSubstr("moved to final.tune")));
}

TEST(FinalEncode, FilmsOfAFewFrames) {
  for (const std::int64_t frames : {1, 2, 3}) {
    for (const char* preset : {"ultrafast", "medium"}) {
      SCOPED_TRACE(vsr::format("{} frames, {}", frames, preset));
      const TemporaryFolder folder;
      AssembleSpec spec = small_spec(folder, {.width = 128, .height = 96, .frames = frames});
      spec.options.preset = preset;
      spec.options.variants = {AudioVariant::kPitchOk, AudioVariant::kPitchLow};
      const AssembleResult result = test::assemble_all(spec);
      EXPECT_EQ(result.frames, frames);
      for (const auto& film : result.files) {
        expect_decodes(film);
        std::vector<double> times = packet_times(film, "v");
        std::sort(times.begin(), times.end());
        ASSERT_THAT(times, SizeIs(frames));
        for (std::size_t k = 0; k < times.size(); ++k) {
          EXPECT_NEAR(times[k], static_cast<double>(k) / 24, 0.0006);
        }
      }
    }
  }
}

// Runs the assembly on so many processors, as taskset would.
std::string hash_on(AssembleSpec spec, int processors) {
  std::string hash;
  std::thread worker([&] {
    cpu_set_t all;
    cpu_set_t some;
    CPU_ZERO(&some);
    ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < processors; ++cpu) {
      if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &some);
    }
    // Threads started from here inherit it.
    ASSERT_EQ(sched_setaffinity(0, sizeof(some), &some), 0);
    spec.threads = 0;
    hash = test::video_hash(assemble_one(spec));
  });
  worker.join();
  return hash;
}

TEST(FinalEncode, SameBytesOnAnyNumberOfProcessors) {
  const TemporaryFolder folder;
  AssembleSpec spec = small_spec(folder, {.width = 320, .height = 180, .frames = 30});
  spec.options.preset = "fast";
  const std::string one = hash_on(spec, 1);
  EXPECT_THAT(one, HasSubstr("SHA256"));
  EXPECT_EQ(hash_on(spec, 2), one);
  spec.threads = 16;
  EXPECT_EQ(test::video_hash(assemble_one(spec)), one);
}

TEST(FinalEncode, TheWholeFileIsReproducible) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 25});
  spec.source = make_source(folder.path() / "film.mkv", 1, "sine=1000:r=48000:d=1");
  const std::string first = sha256_of_file(assemble_one(spec));
  EXPECT_EQ(sha256_of_file(assemble_one(spec)), first);
}

TEST(FinalEncode, H264) {
  const TemporaryFolder folder;
  AssembleSpec spec = small_spec(folder, {.width = 128, .height = 96, .frames = 25});
  spec.options.encoder = "libx264";
  spec.options.params = "aq-mode=3";
  const auto film = assemble_one(spec);
  EXPECT_EQ(probe_one(film, "v", "stream=codec_name,profile,pix_fmt,color_space"),
            "h264,High 10,yuv420p10le,bt709");
  expect_decodes(film);
  const std::string hash = test::video_hash(film);
  spec.threads = 1;
  EXPECT_EQ(test::video_hash(assemble_one(spec)), hash);
  spec.options.params = "aq-mood=3";
  EXPECT_THAT(refusal(spec), HasSubstr("'aq-mood=3'"));
}

TEST(FinalEncode, Av1) {
  const TemporaryFolder folder;
  AssembleSpec spec = small_spec(folder, {.width = 128, .height = 96, .frames = 10});
  spec.options.encoder = "libsvtav1";
  spec.options.preset = "10";
  spec.options.tune = "";
  const std::string refused = refusal(spec);
  if (refused.find("built without") != std::string::npos) GTEST_SKIP() << refused;
  ASSERT_EQ(refused, "");
  const auto film = assemble_one(spec);
  EXPECT_EQ(probe_one(film, "v", "stream=codec_name,pix_fmt"), "av1,yuv420p10le");
  EXPECT_THAT(probe(film, "v", "packet=pts"), SizeIs(10));
  expect_decodes(film);
  EXPECT_EQ(probe_one(film, "v", "stream=color_space,color_primaries,chroma_location"),
            "bt709,bt709,left");
  // The bytes do not depend on how many threads there are.
  const std::string hash = test::video_hash(film);
  spec.threads = 1;
  EXPECT_EQ(test::video_hash(assemble_one(spec)), hash);
  spec.options.params = "tine=1";
  EXPECT_THAT(refusal(spec), HasSubstr("'tine=1'"));
}

// Every kind of mezzanine gives the same film, but for the codec's own loss.
TEST(FinalEncode, FromEveryMezzanineCodec) {
  std::vector<double> reference;
  for (const auto codec : {media::MezzanineCodec::kFfv1,
                           media::MezzanineCodec::kPng,
                           media::MezzanineCodec::kProres,
                           media::MezzanineCodec::kDnxhr}) {
    const TemporaryFolder folder;
    AssembleSpec spec = small_spec(
        folder,
        {.codec = codec, .width = 256, .height = 144, .frames = 12, .core = 5, .overlap = 2});
    spec.colour.full_range = codec == media::MezzanineCodec::kPng;  // as plans say it
    spec.options.height = 120;
    spec.options.crf = 12;
    const auto film = assemble_one(spec);
    expect_decodes(film);
    EXPECT_EQ(probe_one(film, "v", "stream=width,height,color_range,color_space"),
              "214,120,tv,bt709");
    const std::vector<double> means = test::brightness(film);
    ASSERT_THAT(means, SizeIs(12));
    if (reference.empty()) reference = means;
    for (std::size_t i = 0; i < means.size(); ++i) EXPECT_NEAR(means[i], reference[i], 0.7);
  }
}

// The packets of the master are those of the segments' cores, bit for bit and in order.
TEST(Concatenate, PacketsAreThoseOfTheCores) {
  for (const auto codec : {media::MezzanineCodec::kProres,
                           media::MezzanineCodec::kDnxhr,
                           media::MezzanineCodec::kFfv1}) {
    const TemporaryFolder folder;
    const AssembleSpec spec = make_segments(folder.path(),
                                            {.codec = codec,
                                             .width = 256,
                                             .height = 144,
                                             .frames = 23,
                                             .core = 9,
                                             .rate = Rational(24000, 1001),
                                             .sample_aspect = Rational(5, 4)});
    const auto master = folder.path() / ("master" + media::mezzanine_extension(codec));
    std::int64_t told = 0;
    EXPECT_EQ(concatenate(spec,
                          master,
                          [&](std::int64_t frames) {
                            told = frames;
                            return true;
                          }),
              23);
    EXPECT_EQ(told, 23);
    EXPECT_FALSE(std::filesystem::exists(part_name(master)));
    expect_decodes(master);
    EXPECT_EQ(probe_one(master, "v", "stream=sample_aspect_ratio,r_frame_rate,color_space"),
              "5:4,bt709,24000/1001");
    std::vector<std::uint32_t> expected;
    for (const SegmentFile& segment : spec.segments) {
      for (std::int64_t frame = segment.core.begin; frame < segment.core.end; ++frame) {
        expected.push_back(
            segment.checksums[static_cast<std::size_t>(frame - segment.input.begin)]);
      }
    }
    // A reader with these checksums is content only if each packet is what it was.
    media::SegmentReader reader(master, codec, 0, 23, expected, 1);
    PictureView picture;
    int pictures = 0;
    while (reader.read(picture)) ++pictures;
    EXPECT_EQ(pictures, 23);
    const std::vector<double> times = packet_times(master, "v");
    ASSERT_THAT(times, SizeIs(23));
    const double slack = media::mezzanine_extension(codec) == ".mov" ? 1e-6 : 0.0006;
    for (std::size_t k = 0; k < times.size(); ++k) {
      EXPECT_NEAR(times[k], static_cast<double>(k) * 1001 / 24000, slack);
    }
  }
}

TEST(Concatenate, DamageAndMixedSegmentsLeaveNothing) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 30, .core = 10});
  const auto master = folder.path() / "master.mov";
  const auto fails = [&] {
    try {
      concatenate(spec, master, nullptr);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kStorage);
      EXPECT_THAT(error.what(), HasSubstr("0002.mov"));
      return !std::filesystem::exists(master) && !std::filesystem::exists(part_name(master));
    }
    return false;
  };
  auto& checksum = spec.segments[2].checksums[5];
  checksum ^= 1;
  EXPECT_TRUE(fails());
  checksum ^= 1;
  // A segment of another size got into the folder.
  const TemporaryFolder other;
  const AssembleSpec larger = make_segments(other.path(), {.width = 128, .frames = 30, .core = 10});
  std::filesystem::copy_file(larger.segments[2].path,
                             spec.segments[2].path,
                             std::filesystem::copy_options::overwrite_existing);
  spec.segments[2].checksums = larger.segments[2].checksums;
  EXPECT_TRUE(fails());
}

TEST(Concatenate, PngIsRefused) {
  const TemporaryFolder folder;
  const AssembleSpec spec =
      make_segments(folder.path(), {.codec = media::MezzanineCodec::kPng, .frames = 3});
  EXPECT_THROW(concatenate(spec, folder.path() / "master.mov", nullptr), Error);
}

TEST(FinalEncode, CopyTakesTheMezzanineItself) {
  for (const auto codec : {media::MezzanineCodec::kProres,
                           media::MezzanineCodec::kDnxhr,
                           media::MezzanineCodec::kFfv1}) {
    const TemporaryFolder folder;
    AssembleSpec spec = make_segments(
        folder.path(), {.codec = codec, .width = 256, .height = 144, .frames = 25, .core = 10});
    spec.source = make_source(folder.path() / "film.mkv", 1, "sine=1000:r=48000:d=1");
    spec.options.encoder = "copy";
    validate(spec);
    const AssembleResult result = test::assemble_all(spec);
    ASSERT_THAT(result.files, SizeIs(2));
    const auto master = folder.path() / ("master" + media::mezzanine_extension(codec));
    concatenate(spec, master, nullptr);
    for (const auto& film : result.files) {
      EXPECT_EQ(test::video_hash(film), test::video_hash(master));
      expect_decodes(film);
      EXPECT_EQ(probe_one(film, "v", "stream=width,height,pix_fmt,color_space,r_frame_rate"),
                "256,144,yuv422p10le,bt709,24/1");
      const std::vector<double> times = packet_times(film, "v");
      ASSERT_THAT(times, SizeIs(25));
      for (std::size_t k = 0; k < times.size(); ++k) {
        EXPECT_NEAR(times[k], static_cast<double>(k) / 24, 0.0006);
      }
    }
  }
}

}  // namespace
}  // namespace vsr::assemble
