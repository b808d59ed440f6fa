// Sound from the source to the films: place, pitch, length, layout, holes.
#include "film_fixture.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

namespace vsr::assemble {
namespace {

using test::assemble_all;
using test::expect_decodes;
using test::first_loud_s;
using test::frequency;
using test::make_segments;
using test::make_source;
using test::packet_times;
using test::probe;
using test::probe_one;
using test::sound;
using test::TemporaryFolder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct OffsetCase {
  const char* offset;
  double expected_s;  // of the beep, on the source's clock
};

class AssembleOffset : public ::testing::TestWithParam<OffsetCase> {};

// Sound that starts after or before the picture stays where it was, to the sample.
TEST_P(AssembleOffset, SoundKeepsItsPlace) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  // A beep 1 s into the sound; lossless, with times that are exact in Matroska.
  const auto tone = folder.path() / "tone.mkv";
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "aevalsrc=exprs='0.5*sin(2*PI*2000*t)*gte(t,1)*lt(t,1.2)':s=48000:d=2",
                "-c:a",
                "flac",
                tone.string()});
  spec.source = folder.path() / "film.mkv";
  const bool early = GetParam().offset[0] == '-';
  // ffmpeg would move a negative start to 0, so for that the picture is moved.
  test::ffmpeg({"-itsoffset",
                early ? GetParam().offset + 1 : "0",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x48:r=25:d=2",
                "-itsoffset",
                early ? "0" : GetParam().offset,
                "-i",
                tone.string(),
                "-map",
                "0:v",
                "-map",
                "1:a",
                "-c:v",
                "mpeg4",
                "-c:a",
                "copy",
                spec.source.string()});
  if (early) spec.start_time_s = parse_rate("0.3");
  spec.options.audio_codec = "flac";
  spec.options.variants = {AudioVariant::kPitchLow, AudioVariant::kPitchOk};
  const AssembleResult result = assemble_all(spec);
  const double expected = GetParam().expected_s * 25 / 24;
  // Resampling is exact: the first sample over the level comes within a period of the tone. A
  // change of tempo moves an onset by up to half of its pieces of 43 ms.
  EXPECT_NEAR(first_loud_s(sound(result.files.at(0)), 0.2), expected, 0.0006);
  EXPECT_NEAR(first_loud_s(sound(result.files.at(1)), 0.2), expected, 0.025);
}

INSTANTIATE_TEST_SUITE_P(Offsets,
                         AssembleOffset,
                         ::testing::Values(OffsetCase{"0", 1.0},
                                           OffsetCase{"0.5", 1.5},
                                           OffsetCase{"-0.3", 0.7}),
                         [](const auto& test) {
                           return test.param.offset[0] == '-'   ? "Early"
                                  : test.param.offset[1] == '.' ? "Late"
                                                                : "Together";
                         });

// Whatever a codec holds back or puts before: a beep stays in its place.
TEST(Assemble, EverySoundCodecKeepsTheBeepInItsPlace) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  spec.source = make_source(folder.path() / "film.mkv",
                            2,
                            "aevalsrc=exprs='0.5*sin(2*PI*2000*t)*gte(t,1)*lt(t,1.2)':s=48000:d=2",
                            {"-c:a", "flac"});
  spec.options.variants = {AudioVariant::kPitchLow};
  for (const char* codec : {"ac3", "eac3", "aac", "flac", "pcm_s24le", "libopus"}) {
    SCOPED_TRACE(codec);
    spec.options.audio_codec = codec;
    spec.options.audio_bitrate = 192'000;
    try {
      validate(spec);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("no such sound encoder"));
      continue;
    }
    const auto film = assemble_all(spec).files.at(0);
    expect_decodes(film);
    EXPECT_GE(packet_times(film, "a").at(0), -0.0075);
    // Ears and level meters differ by a millisecond where a lossy codec smears the onset.
    EXPECT_NEAR(first_loud_s(sound(film), 0.2, 0.2f), 1.0 * 25 / 24, 0.003);
    EXPECT_NEAR(static_cast<double>(sound(film).size()) / 48000, 2.0 * 25 / 24, 0.04);
  }
}

TEST(Assemble, UnchangedRateCopiesTheSound) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  spec.source = make_source(folder.path() / "film.mkv", 2, "sine=1000:r=48000:d=2");
  spec.options.fps.reset();
  const AssembleResult result = assemble_all(spec);
  ASSERT_THAT(result.files, ElementsAre(spec.out_dir / "film.mkv"));
  const auto packets = [](const std::filesystem::path& film) {
    return probe(film, "a", "packet=size,data_hash,pts_time");
  };
  const auto hashes = [&](const std::filesystem::path& film) {
    return test::run_process({"ffmpeg",
                              "-nostdin",
                              "-v",
                              "error",
                              "-i",
                              film.string(),
                              "-map",
                              "0:a",
                              "-c",
                              "copy",
                              "-f",
                              "framehash",
                              "-"})
        .output;
  };
  EXPECT_EQ(packets(result.files[0]).size(), packets(spec.source).size());
  EXPECT_EQ(hashes(result.files[0]), hashes(spec.source));
  expect_decodes(result.files[0]);
  EXPECT_EQ(probe_one(result.files[0], "v", "stream=r_frame_rate"), "25/1");
}

TEST(Assemble, NtscRatio) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 48, .rate = Rational(24, 1)});
  spec.source =
      make_source(folder.path() / "film.mkv", 2, "sine=1000:r=44100:d=2", {"-c:a", "pcm_s16le"});
  spec.options.fps = Rational(24000, 1001);
  spec.options.audio_codec = "pcm_s24le";
  const AssembleResult result = assemble_all(spec);
  EXPECT_EQ(probe_one(result.files.at(0), "v", "stream=r_frame_rate"), "24000/1001");
  for (const auto& film : result.files) {
    EXPECT_EQ(probe_one(film, "a", "stream=codec_name,sample_rate"), "pcm_s24le,44100");
    const std::vector<float> samples = sound(film);
    // 2.002 s, to the sample (of 44.1 kHz).
    EXPECT_NEAR(static_cast<double>(samples.size()) / 48000, 2.002, 0.00005);
  }
  EXPECT_NEAR(frequency(sound(result.files[0]), 0.2, 1.8), 1000, 0.3);
  EXPECT_NEAR(frequency(sound(result.files[1]), 0.2, 1.8), 1000 / 1.001, 0.05);
}

TEST(Assemble, SpeedsBeyondOneTempoFilter) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  spec.source =
      make_source(folder.path() / "film.mkv", 2, "sine=500:r=48000:d=2", {"-c:a", "pcm_s16le"});
  spec.options.fps = Rational(10, 1);
  const AssembleResult result = assemble_all(spec);
  EXPECT_NEAR(frequency(sound(result.files.at(0)), 0.5, 4.5), 500, 1);
  EXPECT_NEAR(frequency(sound(result.files.at(1)), 0.5, 4.5), 200, 0.1);
  for (const auto& film : result.files) {
    EXPECT_NEAR(static_cast<double>(sound(film).size()) / 48000, 5, 0.04);
  }
}

TEST(Assemble, LayoutsAreKeptOrMixedDownWithAWarning) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 25});
  spec.source = folder.path() / "film.mkv";
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x48:r=25:d=1",
                "-f",
                "lavfi",
                "-i",
                "sine=440:r=48000:d=1",
                "-filter_complex",
                ("[1:a]asplit=3[a][b][c];[a]pan=5.1|FL=c0|LFE=c0[x];[b]pan=7.1|FL=c0|SR=c0[y];"
                 "[c]pan=mono|c0=c0,aresample=96000[z]"),
                "-map",
                "0:v",
                "-map",
                "[x]",
                "-map",
                "[y]",
                "-map",
                "[z]",
                "-c:v",
                "mpeg4",
                "-c:a",
                "flac",
                spec.source.string()});
  spec.options.variants = {AudioVariant::kPitchOk};
  const AssembleResult result = assemble_all(spec);
  EXPECT_THAT(probe(result.files.at(0), "a", "stream=sample_rate,channels,channel_layout"),
              ElementsAre("48000,6,5.1(side)", "48000,6,5.1(side)", "48000,1,mono"));
  EXPECT_THAT(result.warnings, ElementsAre(HasSubstr("sound track 1 (flac): 7.1 is mixed down")));
  // The left channel alone of the first track has the tone.
  EXPECT_NEAR(frequency(sound(result.files[0], "a:0", 0), 0.3, 0.8), 440, 0.5);
  EXPECT_EQ(first_loud_s(sound(result.files[0], "a:0", 1), 0), -1);
}

TEST(Assemble, HolesInTheSoundAreFilledSoThatItStaysInStep) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 100});
  // Sound is missing from 1 to 1.5 s; a beep at 3 s.
  spec.source = folder.path() / "film.mkv";
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x48:r=25:d=4",
                "-f",
                "lavfi",
                "-i",
                "aevalsrc=exprs='0.5*sin(2*PI*2000*t)*gte(t,3)*lt(t,3.2)':s=48000:d=4",
                "-af",
                "aselect='not(between(t,1,1.5))'",
                "-c:v",
                "mpeg4",
                "-c:a",
                "pcm_s16le",
                spec.source.string()});
  spec.options.variants = {AudioVariant::kPitchLow};
  spec.options.audio_codec = "flac";
  const AssembleResult result = assemble_all(spec);
  const std::vector<float> samples = sound(result.files.at(0));
  EXPECT_NEAR(first_loud_s(samples, 0.2), 3.0 * 25 / 24, 0.002);
  EXPECT_NEAR(static_cast<double>(samples.size()) / 48000, 4.0 * 25 / 24, 0.002);
  EXPECT_THAT(result.warnings, ElementsAre(HasSubstr("filled with silence")));
}

// Nothing is missing that was there.
TEST(Assemble, FilmWithoutSound) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 25});
  spec.source = make_source(folder.path() / "film.mkv", 1, "", {});
  const AssembleResult result = assemble_all(spec);
  EXPECT_THAT(result.warnings, IsEmpty());
  EXPECT_THAT(probe(result.files.at(0), "a", "stream=index"), IsEmpty());
  expect_decodes(result.files[0]);
}

TEST(Assemble, TracksNobodyCanDecodeAreLeftOut) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 25});
  spec.source = make_source(folder.path() / "film.mkv", 1, "sine=1000:r=48000:d=1");
  std::string bytes = read_file(spec.source);
  const auto at = bytes.find("A_AC3");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 5, "A_XYZ");
  std::ofstream(spec.source, std::ios::binary) << bytes;
  const AssembleResult result = assemble_all(spec);
  EXPECT_THAT(result.warnings, Contains(HasSubstr("sound track 0 (none) is left out")));
  EXPECT_THAT(result.warnings, Contains(HasSubstr("no sound that can be used")));
  EXPECT_EQ(result.frames, 25);
}

TEST(Assemble, TruncatedSourceEndsTheSoundEarly) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 100});
  spec.source = make_source(folder.path() / "film.mkv", 4, "sine=1000:r=48000:d=4");
  std::filesystem::resize_file(spec.source, std::filesystem::file_size(spec.source) / 2);
  const AssembleResult result = assemble_all(spec);
  EXPECT_EQ(result.frames, 100);
  EXPECT_THAT(result.warnings, Contains(HasSubstr("before the picture")));
  for (const auto& film : result.files) {
    expect_decodes(film);
    EXPECT_THAT(probe(film, "v", "packet=pts"), SizeIs(100));
  }
}

}  // namespace
}  // namespace vsr::assemble
