// The whole way from segments and source to films, as the ffmpeg programs read them.
#include "vsr/assemble/assemble.hpp"

#include "film_fixture.hpp"
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
using test::flashes_s;
using test::frequency;
using test::kFrame24;
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
using ::testing::Not;
using ::testing::SizeIs;

// What a whole PAL job's end looks like: a flash and a beep near both ends, sound in stereo and
// 5.1, text and DVD subtitles, chapters, an attachment.
TEST(Assemble, PalFilmBecomesTwoRetimedFilms) {
  const TemporaryFolder folder;
  const auto source = folder.path() / "pal.mkv";
  const auto made = test::run_process({"python3",
                                       (test::source_dir() / "scripts/make-pal-source").string(),
                                       source.string(),
                                       "--frames",
                                       "100"});
  ASSERT_EQ(made.status, 0) << made.output;
  EXPECT_EQ(probe_one(source, "v", "stream=color_range,color_space,color_transfer,color_primaries"),
            "tv,bt470bg,bt470bg,bt470bg");
  AssembleSpec spec = make_segments(
      folder.path(),
      {.width = 96, .height = 64, .frames = 100, .core = 30, .white_frames = {10, 11, 88, 89}});
  spec.source = source;
  spec.start_time_s = test::start_time_s(source);
  spec.options.height = 48;
  const AssembleResult result = assemble_all(spec);
  EXPECT_EQ(result.frames, 100);
  EXPECT_THAT(result.warnings, IsEmpty());
  const auto ok = spec.out_dir / "film_pitchOK.mkv";
  const auto low = spec.out_dir / "film_pitchLOW.mkv";
  ASSERT_THAT(result.files, ElementsAre(ok, low));

  for (const auto& film : result.files) {
    SCOPED_TRACE(film);
    EXPECT_FALSE(std::filesystem::exists(part_name(film)));
    expect_decodes(film);
    EXPECT_EQ(probe_one(film,
                        "v",
                        "stream=codec_name,profile,width,height,sample_aspect_ratio,pix_fmt,"
                        "color_range,color_space,color_transfer,color_primaries,chroma_location,"
                        "field_order,r_frame_rate"),
              "hevc,Main 10,72,48,1:1,yuv420p10le,tv,bt709,bt709,bt709,left,progressive,24/1");
    // Every frame at its exact time, as far as Matroska's milliseconds go.
    std::vector<double> times = packet_times(film, "v");
    std::sort(times.begin(), times.end());
    ASSERT_THAT(times, SizeIs(100));
    for (std::size_t k = 0; k < times.size(); ++k) {
      EXPECT_NEAR(times[k], std::round(static_cast<double>(k) * 1000 / 24) / 1000, 1e-6);
    }
    // Sound: both tracks, their layouts, names and languages, the right length and pitch.
    EXPECT_THAT(probe(film, "a", "stream=codec_name,sample_rate,channel_layout,bit_rate"),
                ElementsAre("ac3,48000,stereo,640000", "ac3,48000,5.1(side),640000"));
    EXPECT_THAT(probe(film, "a", "stream_tags=language,title"),
                ElementsAre("eng,Beeps", "deu,Sine"));
    const std::vector<float> sine = sound(film, "a:1", 2);
    EXPECT_NEAR(static_cast<double>(sine.size()) / 48000, 100.0 / 24, 0.04);
    EXPECT_NEAR(frequency(sine, 0.5, 3.5), film == ok ? 1000 : 960, 0.3);
    // Sync at both ends.
    const std::vector<float> beeps = sound(film, "a:0");
    const std::vector<double> flashes = flashes_s(film);
    ASSERT_THAT(flashes, SizeIs(2));
    EXPECT_NEAR(flashes[0], 10.0 / 24, 0.001);
    EXPECT_NEAR(flashes[1], 88.0 / 24, 0.001);
    for (const double flash : flashes) {
      EXPECT_NEAR(first_loud_s(beeps, flash - 0.2), flash, kFrame24);
    }
    // Subtitles of both kinds over 0.6-1.1 and 3.2-3.7 s of the source.
    EXPECT_THAT(probe(film, "s", "stream=codec_name"), ElementsAre("subrip", "dvd_subtitle"));
    EXPECT_THAT(probe(film, "s:0", "packet=pts_time,duration_time"),
                ElementsAre("0.625000,0.521000", "3.333000,0.521000"));
    EXPECT_THAT(probe(film, "s:1", "packet=pts_time"), ElementsAre("0.625000", "3.333000"));
    const auto chapters = probe(film, "", "chapter=start_time,end_time:chapter_tags=title");
    ASSERT_THAT(chapters, SizeIs(3));
    EXPECT_THAT(chapters[1], HasSubstr("Part 2"));
    EXPECT_NEAR(std::stod(chapters[1]), (1.333 - spec.start_time_s.to_double()) * 25 / 24, 0.002);
    // The rest of what the source said of itself.
    EXPECT_THAT(probe(film, "", "format_tags=title,ARTIST"), Contains(HasSubstr("PAL test film")));
    EXPECT_THAT(probe(film, "t", "stream_tags=filename,mimetype"),
                ElementsAre("note.txt,text/plain"));
  }
}

// When a DVD subtitle is shown and taken away stands inside its packets.
TEST(Assemble, DatesInsideDvdSubtitlesAreRetimed) {
  const TemporaryFolder folder;
  const auto source = folder.path() / "pal.mkv";
  const auto made = test::run_process({"python3",
                                       (test::source_dir() / "scripts/make-pal-source").string(),
                                       source.string(),
                                       "--frames",
                                       "50"});
  ASSERT_EQ(made.status, 0) << made.output;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  spec.source = source;
  spec.audio.kind = StreamChoice::Kind::kNone;
  spec.options.variants = {AudioVariant::kPitchOk};
  const AssembleResult result = assemble_all(spec);
  EXPECT_THAT(result.warnings, IsEmpty());
  // The first date after the start, in units of 1024/90000 s: when the picture goes.
  const auto last_date = [&](const std::filesystem::path& film) {
    const auto raw = folder.path() / "spu.bin";
    test::ffmpeg({"-i",
                  film.string(),
                  "-map",
                  "0:s:1",
                  "-c",
                  "copy",
                  "-frames:s",
                  "1",
                  "-f",
                  "data",
                  raw.string()});
    const std::string spu = read_file(raw);
    const auto word = [&](std::size_t at) {
      return static_cast<std::size_t>(static_cast<unsigned char>(spu.at(at))) << 8 |
             static_cast<unsigned char>(spu.at(at + 1));
    };
    const std::size_t first = word(2);
    return static_cast<double>(word(word(first + 2)));
  };
  const double before = last_date(source);
  EXPECT_NEAR(before, 0.5 * 90000 / 1024, 1);
  EXPECT_NEAR(last_date(result.files.at(0)), before * 25 / 24, 0.51);
}

// A DVD's program stream: no table of contents, a clock that starts anywhere.
TEST(Assemble, ProgramStream) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 100, .white_frames = {10, 88}});
  spec.source = folder.path() / "pal.vob";
  const auto made = test::run_process({"python3",
                                       (test::source_dir() / "scripts/make-pal-source").string(),
                                       spec.source.string(),
                                       "--frames",
                                       "100"});
  ASSERT_EQ(made.status, 0) << made.output;
  spec.start_time_s = test::start_time_s(spec.source);
  const AssembleResult result = assemble_all(spec);
  for (const auto& film : result.files) {
    const std::vector<float> beeps = sound(film, "a:0");
    for (const double flash : {10.0 / 24, 88.0 / 24}) {
      EXPECT_NEAR(first_loud_s(beeps, flash - 0.2), flash, kFrame24);
    }
    EXPECT_EQ(probe_one(film, "s", "stream=codec_name"), "dvd_subtitle");
    EXPECT_NEAR(packet_times(film, "s:0").at(0), 0.625, 0.002);
  }
}

// A preview from the middle: sound, subtitles and chapters are cut and moved with the picture.
TEST(Assemble, PartOfAFilm) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  std::ofstream(folder.path() / "lines.srt")
      << "1\n00:00:00,200 --> 00:00:00,700\nBefore\n\n2\n00:00:00,800 --> 00:00:01,500\nAcross\n\n"
         "3\n00:00:02,000 --> 00:00:02,500\nInside\n\n4\n00:00:02,800 --> 00:00:03,900\nOut\n\n"
         "5\n00:00:03,200 --> 00:00:03,900\nAfter\n\n";
  std::ofstream(folder.path() / "chapters.txt")
      << ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=Gone\n"
         "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=2000\ntitle=First\n"
         "[CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=Second\n";
  spec.source = folder.path() / "film.mkv";
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x48:r=25:d=4",
                "-f",
                "lavfi",
                "-i",
                "aevalsrc=exprs='0.5*sin(2*PI*2000*t)*gte(t,1.6)*lt(t,1.8)':s=48000:d=4",
                "-i",
                (folder.path() / "lines.srt").string(),
                "-i",
                (folder.path() / "chapters.txt").string(),
                "-map_chapters",
                "3",
                "-map",
                "0:v",
                "-map",
                "1:a",
                "-map",
                "2:s",
                "-c:v",
                "mpeg4",
                "-c:a",
                "flac",
                spec.source.string()});
  spec.start_time_s = Rational(1, 1);
  spec.partial = true;
  spec.options.variants = {AudioVariant::kPitchLow};
  const AssembleResult result = assemble_all(spec);
  EXPECT_THAT(result.warnings, IsEmpty());
  const auto& film = result.files.at(0);
  EXPECT_NEAR(first_loud_s(sound(film), 0.1), 0.6 * 25 / 24, 0.001);
  EXPECT_NEAR(static_cast<double>(sound(film).size()) / 48000, 2.0 * 25 / 24, 0.033);
  EXPECT_THAT(probe(film, "s", "packet=pts_time,duration_time"),
              ElementsAre("0.000000,0.521000", "1.042000,0.521000", "1.875000,0.208000"));
  EXPECT_THAT(probe(film, "", "chapter=start_time,end_time:chapter_tags=title"),
              ElementsAre("0.000000,1.041667,First", "1.041667,2.083333,Second"));
}

TEST(Assemble, WhatIsUntrueOfTheFilmIsDropped) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 25});
  spec.source = make_source(folder.path() / "film.mkv",
                            1,
                            "sine=1000:r=48000:d=1",
                            {"-c:a",
                             "ac3",
                             "-metadata",
                             "title=A film",
                             "-metadata:s:v",
                             "title=Picture",
                             "-metadata:s:a",
                             "BPS-eng=12345",
                             "-metadata:s:a",
                             "NUMBER_OF_FRAMES=77",
                             "-metadata:s:a",
                             "_STATISTICS_TAGS=BPS",
                             "-metadata:s:a",
                             "DIRECTOR=Somebody",
                             "-disposition:a",
                             "comment",
                             "-metadata:s:a",
                             "language=fre"});
  const AssembleResult result = assemble_all(spec);
  const auto tags = test::run_process({"ffprobe",
                                       "-v",
                                       "error",
                                       "-show_entries",
                                       "format_tags:stream_tags:stream_disposition=comment,default",
                                       result.files.at(0).string()});
  EXPECT_THAT(tags.output, HasSubstr("TAG:title=A film"));
  EXPECT_THAT(tags.output, HasSubstr("TAG:title=Picture"));
  EXPECT_THAT(tags.output, HasSubstr("TAG:DIRECTOR=Somebody"));
  EXPECT_THAT(tags.output, HasSubstr("TAG:language=fre"));
  EXPECT_THAT(tags.output, HasSubstr("DISPOSITION:comment=1"));
  EXPECT_THAT(tags.output,
              HasSubstr("TAG:ENCODER_SETTINGS=libx265 preset=ultrafast crf=24 tune=grain"));
  EXPECT_THAT(tags.output, Not(HasSubstr("BPS")));
  EXPECT_THAT(tags.output, Not(HasSubstr("NUMBER_OF_FRAMES")));
  EXPECT_THAT(tags.output, Not(HasSubstr("STATISTICS")));
}

TEST(Assemble, Mp4TextAndCover) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  std::ofstream(folder.path() / "lines.srt")
      << "1\n00:00:00,240 --> 00:00:00,960\nFirst <i>line</i>\n\n2\n00:00:01,200 --> "
         "00:00:01,680\nSecond\n\n";
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "testsrc2=s=32x32:r=1:d=1",
                "-frames:v",
                "1",
                (folder.path() / "cover.jpg").string()});
  spec.source = folder.path() / "film.mp4";
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x48:r=25:d=2",
                "-f",
                "lavfi",
                "-i",
                "sine=1000:r=48000:d=2",
                "-i",
                (folder.path() / "lines.srt").string(),
                "-i",
                (folder.path() / "cover.jpg").string(),
                "-map",
                "0",
                "-map",
                "1",
                "-map",
                "2",
                "-map",
                "3",
                "-c:v:0",
                "mpeg4",
                "-c:v:1",
                "copy",
                "-disposition:v:1",
                "attached_pic",
                "-c:a",
                "aac",
                "-c:s",
                "mov_text",
                spec.source.string()});
  const AssembleResult result = assemble_all(spec);
  for (const auto& film : result.files) {
    expect_decodes(film);
    EXPECT_EQ(probe_one(film, "s", "stream=codec_name"), "subrip");
    EXPECT_THAT(probe(film, "s", "packet=pts_time,duration_time"),
                ElementsAre("0.250000,0.750000", "1.250000,0.500000"));
    const auto text = folder.path() / "out.srt";
    test::ffmpeg({"-i", film.string(), "-map", "0:s", text.string()});
    EXPECT_THAT(read_file(text), HasSubstr("First <i>line</i>"));
    EXPECT_THAT(probe(film, "", "stream_tags=filename,mimetype"),
                Contains(HasSubstr("cover.jpg,image/jpeg")));
    EXPECT_THAT(probe(film, "v", "stream=codec_name"), ElementsAre("hevc", "mjpeg"));
  }
}

TEST(Assemble, LightLevelsAreKept) {
  const TemporaryFolder folder;
  const ColourDescription pq{.matrix = Matrix::kBt2020Ncl,
                             .siting = ChromaSiting::kTopLeft,
                             .primaries = 9,
                             .transfer = 16};
  AssembleSpec spec = make_segments(folder.path(), {.frames = 5, .colour = pq});
  spec.source = folder.path() / "film.mkv";
  // FFmpeg writes them into the stream alone here: beside the pictures, not in the container.
  test::ffmpeg({"-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x64:r=25:d=0.2",
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-pix_fmt",
                "yuv420p10le",
                "-x265-params",
                ("log-level=none:master-display=G(13250,34500)B(7500,3000)R(34000,16000)"
                 "WP(15635,16450)L(10000000,50):max-cll=1000,400"),
                spec.source.string()});
  const AssembleResult result = assemble_all(spec);
  const auto& film = result.files.at(0);
  EXPECT_EQ(probe_one(film,
                      "v",
                      "stream=color_range,color_space,color_transfer,color_primaries,"
                      "chroma_location"),
            "tv,bt2020nc,smpte2084,bt2020,topleft");
  for (const char* place : {"stream_side_data", "frame_side_data"}) {
    const auto text = test::run_process({"ffprobe",
                                         "-v",
                                         "error",
                                         "-select_streams",
                                         "v",
                                         "-read_intervals",
                                         "%+#1",
                                         "-show_entries",
                                         place,
                                         film.string()})
                          .output;
    EXPECT_THAT(text, HasSubstr("Mastering display metadata")) << place;
    EXPECT_THAT(text, HasSubstr("max_content=1000")) << place;
    EXPECT_THAT(text, HasSubstr("max_average=400")) << place;
  }
}

TEST(Assemble, StopsWhenAskedAndLeavesNothing) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  spec.source = make_source(folder.path() / "film.mkv", 2, "sine=1000:r=48000:d=2");
  try {
    assemble(spec, [](std::int64_t frames) { return frames < 10; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_TRUE(std::filesystem::is_empty(spec.out_dir));
}

TEST(Assemble, DamagedSegmentIsNamed) {
  const TemporaryFolder folder;
  AssembleSpec spec = make_segments(folder.path(), {.frames = 50});
  spec.source = make_source(folder.path() / "film.mkv", 2, "sine=1000:r=48000:d=2");
  std::string bytes = read_file(spec.segments[1].path);
  bytes[bytes.size() / 2] ^= 0x20;
  std::ofstream(spec.segments[1].path, std::ios::binary) << bytes;
  for (const char* encoder : {"libx265", "copy"}) {
    spec.options.encoder = encoder;
    try {
      assemble_all(spec);
      FAIL() << encoder;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kStorage);
      EXPECT_THAT(error.what(), HasSubstr(spec.segments[1].path.string()));
    }
    EXPECT_TRUE(std::filesystem::is_empty(spec.out_dir));
  }
}

}  // namespace
}  // namespace vsr::assemble
