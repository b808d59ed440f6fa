#include "clips.hpp"
#include "vsr/base/error.hpp"
#include "vsr/media/codecs.hpp"
#include "vsr/media/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace vsr::media {
namespace {

namespace fs = std::filesystem;
using test::make_clip;
using ::testing::HasSubstr;

class Probe : public ::testing::Test {
 protected:
  void SetUp() override { VSR_NEED_FFMPEG(); }

  fs::path path(const char* name) const { return folder_.path() / name; }

  fs::path write(const char* name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

  fs::path make(const char* name, const std::string& format, const std::string& options) const {
    return make_clip(path(name), {.frames = 12, .filters = "format=" + format}, options);
  }

  // A one-line Error(kInput) that names the file and contains `words`.
  static void expect_refused(const fs::path& film, const std::string& words) {
    try {
      probe(film);
      ADD_FAILURE() << film << " was taken for a film";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(film.string()));
      EXPECT_THAT(error.what(), HasSubstr(words));
      EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("\n")));
    }
  }

  test::TemporaryFolder folder_;
};

TEST_F(Probe, StreamsChaptersAndCoverArt) {
  const fs::path clip = make("clip.mkv", "yuv420p", "-c:v libx264");
  write("lines.srt", "1\n00:00:00,000 --> 00:00:00,400\nOne.\n");
  write("chapters.txt",
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=First\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=200\nEND=480\ntitle=Second\n");
  test::run_ffmpeg({"-i", clip.string(), "-frames:v", "1", path("cover.png").string()});
  test::run_ffmpeg({"-i",
                    clip.string(),
                    "-f",
                    "lavfi",
                    "-i",
                    "sine=duration=0.48:sample_rate=48000",
                    "-f",
                    "lavfi",
                    "-i",
                    "anullsrc=channel_layout=5.1:sample_rate=44100:duration=0.48",
                    "-i",
                    path("lines.srt").string(),
                    "-i",
                    path("chapters.txt").string(),
                    "-map",
                    "0:v",
                    "-map",
                    "1:a",
                    "-map",
                    "2:a",
                    "-map",
                    "3:s",
                    "-map_chapters",
                    "4",
                    "-c:v",
                    "copy",
                    "-c:a",
                    "ac3",
                    "-shortest",
                    "-metadata:s:a:0",
                    "language=eng",
                    "-metadata:s:a:1",
                    "language=deu",
                    "-metadata:s:a:1",
                    "title=Kommentar",
                    "-attach",
                    path("cover.png").string(),
                    "-metadata:s:t",
                    "mimetype=image/png",
                    path("film.mkv").string()});
  const SourceInfo info = probe(path("film.mkv"));
  EXPECT_EQ(info.container, "matroska,webm");
  EXPECT_NEAR(info.duration_s, 0.48, 0.1);
  EXPECT_EQ(info.file_bytes, fs::file_size(path("film.mkv")));
  EXPECT_EQ(info.video.stream, 0);
  EXPECT_EQ(info.video.codec, "h264");
  EXPECT_EQ(info.video.rate, Rational(25, 1));
  ASSERT_EQ(info.streams.size(), 5U);
  EXPECT_EQ(info.streams[1].kind, StreamKind::kAudio);
  EXPECT_EQ(info.streams[1].codec, "ac3");
  EXPECT_EQ(info.streams[1].language, "eng");
  EXPECT_EQ(info.streams[1].channels, 1);
  EXPECT_EQ(info.streams[2].sample_rate, 44100);
  EXPECT_EQ(info.streams[2].channels, 6);
  EXPECT_THAT(info.streams[2].channel_layout, HasSubstr("5.1"));
  EXPECT_EQ(info.streams[2].title, "Kommentar");
  EXPECT_EQ(info.streams[3].kind, StreamKind::kSubtitle);
  EXPECT_TRUE(info.streams[4].attached_picture);
  ASSERT_EQ(info.chapters.size(), 2U);
  EXPECT_EQ(info.chapters[1].title, "Second");
  EXPECT_DOUBLE_EQ(info.chapters[1].start_s, 0.2);
}

TEST_F(Probe, ColourByTagsElseBySize) {
  const VideoInfo tagged =
      probe(make("tagged.mkv",
                 "yuv420p10,setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc="
                 "smpte2084:range=pc",
                 "-c:v libx265 -x265-params log-level=none -colorspace bt2020nc "
                 "-color_primaries bt2020 -color_trc smpte2084 -color_range pc"))
          .video;
  EXPECT_EQ(tagged.colour.matrix, Matrix::kBt2020Ncl);
  EXPECT_TRUE(tagged.matrix_tagged);
  EXPECT_TRUE(tagged.range_tagged);
  EXPECT_TRUE(tagged.colour.full_range);
  EXPECT_EQ(tagged.colour.primaries, 9);
  EXPECT_EQ(tagged.colour.transfer, 16);
  EXPECT_EQ(tagged.format.bit_depth, 10);

  const std::string untagged =
      "yuv420p,setparams=colorspace=unknown:range=unknown:color_primaries=unknown:color_trc="
      "unknown";
  const VideoInfo sd = probe(make("sd.avi", untagged, "-c:v mpeg4")).video;
  EXPECT_FALSE(sd.matrix_tagged);
  EXPECT_FALSE(sd.range_tagged);
  EXPECT_EQ(sd.colour.matrix, Matrix::kBt601);
  EXPECT_FALSE(sd.colour.full_range);
  EXPECT_EQ(sd.colour.siting, ChromaSiting::kLeft);
  const VideoInfo hd = probe(make("hd.avi", untagged + ",scale=1280:544", "-c:v mpeg4")).video;
  EXPECT_EQ(hd.colour.matrix, Matrix::kBt709);
}

TEST_F(Probe, SitingRangeFieldsAndAspect) {
  const VideoInfo jpeg = probe(make("a.mov", "yuvj420p", "-c:v mjpeg")).video;
  EXPECT_EQ(jpeg.colour.siting, ChromaSiting::kCenter);
  EXPECT_TRUE(jpeg.colour.full_range);
  EXPECT_TRUE(jpeg.range_tagged);
  EXPECT_EQ(probe(make("a.mpg", "yuv420p", "-c:v mpeg1video")).video.colour.siting,
            ChromaSiting::kCenter);

  const fs::path pal = make_clip(
      path("pal.vob"),
      {.frames = 12, .width = 160, .height = 128, .interlaced = true, .filters = "format=yuv420p"},
      "-c:v mpeg2video -flags +ildct+ilme -aspect 16:9");
  const SourceInfo info = probe(pal);
  EXPECT_EQ(info.container, "mpeg");
  EXPECT_EQ(info.video.field_order, FieldOrder::kTopFirst);
  EXPECT_EQ(info.video.colour.siting, ChromaSiting::kLeft);
  EXPECT_EQ(info.video.sample_aspect, Rational(64, 45));
  // Matroska and MOV name the same order in their own way; AVI not at all.
  for (const char* name : {"pal.mkv", "pal.mov", "pal.avi"}) {
    const bool avi = std::string(name) == "pal.avi";
    const fs::path same =
        make_clip(path(name),
                  {.frames = 12,
                   .width = 160,
                   .height = 128,
                   .interlaced = true,
                   .filters = "format=yuv420p"},
                  std::string(avi ? "-c:v mpeg4" : "-c:v mpeg2video") + " -flags +ildct+ilme");
    EXPECT_EQ(probe(same).video.field_order, FieldOrder::kTopFirst) << name;
  }
  const VideoInfo progressive = probe(make("p.mkv", "yuv420p", "-c:v libx264")).video;
  EXPECT_EQ(progressive.field_order, FieldOrder::kProgressive);
}

TEST_F(Probe, MissingEmptyAndFolders) {
  expect_refused(path("nowhere.mkv"), "no such file");
  expect_refused(folder_.path(), "folder");
  expect_refused(write("empty.mkv", ""), "empty");
  ASSERT_EQ(mkfifo(path("pipe.mkv").c_str(), 0600), 0);
  expect_refused(path("pipe.mkv"), "not a regular file");
  expect_refused("/dev/zero", "not a regular file");
  expect_refused(path("shot_%04d.png"), "no file matches");
}

TEST_F(Probe, TextNoiseAndListsAreNoFilms) {
  expect_refused(write("a.txt", std::string(3000, 'x') + "\n"), "not a film");
  expect_refused(write("a.nfo", "\x1b[31mred\x1b[0m text\n"), "");
  make("clip.mkv", "yuv420p", "-c:v libx264");
  expect_refused(write("list.ffconcat", "ffconcat version 1.0\nfile clip.mkv\n"), "not a film");
  expect_refused(write("list.m3u8",
                       "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nclip.mkv\n#EXT-X-ENDLIST\n"),
                 "not a film");
  expect_refused(
      write("a.sdp",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 33\n"),
      "");
  std::string noise(100'000, '\0');
  unsigned state = 1;
  for (char& c : noise) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  expect_refused(write("noise.bin", noise), "");
}

TEST_F(Probe, SoundAloneIsNoFilm) {
  test::run_ffmpeg({"-f", "lavfi", "-i", "sine=duration=1", path("a.wav").string()});
  expect_refused(path("a.wav"), "no video stream");
  const fs::path clip = make("clip.mkv", "yuvj444p", "-c:v mjpeg");
  test::run_ffmpeg({"-i",
                    path("a.wav").string(),
                    "-i",
                    clip.string(),
                    "-map",
                    "0:a",
                    "-map",
                    "1:v",
                    "-frames:v",
                    "1",
                    "-c:v",
                    "mjpeg",
                    "-disposition:v:0",
                    "attached_pic",
                    path("song.mp3").string()});
  expect_refused(path("song.mp3"), "cover art");
}

TEST_F(Probe, TornHeadersEndInOneLine) {
  const fs::path film = make("whole.mp4", "yuv420p", "-c:v libx264");
  std::ifstream file(film, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  expect_refused(write("cut.mp4", bytes.substr(0, bytes.size() / 2)),
                 "");  // its index is at the end
  const fs::path mkv = make("whole.mkv", "yuv420p", "-c:v libx264");
  std::ifstream mkv_file(mkv, std::ios::binary);
  const std::string mkv_bytes{std::istreambuf_iterator<char>(mkv_file), {}};
  expect_refused(write("cut.mkv", mkv_bytes.substr(0, 300)), "");
}

// A picture of 60000x60000 in a hundred bytes.
TEST_F(Probe, AnnouncedHugePicturesTakeNoMemory) {
  const std::string png(
      "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0\x6a\x3c\x1d\x0a"
      "\0\0\0\x0cIDAT\x78\x9c\x63\x60\x60\x60\0\0\0\x04\0\x01\0\0\0\0",
      33 + 24);
  expect_refused(write("huge.png", png), "");
}

TEST_F(Probe, ImageSequenceByPattern) {
  make_clip(path("shot_%04d.png"), {.frames = 10, .filters = "format=rgb24"}, "-start_number 995");
  const SourceInfo info = probe(path("shot_%04d.png"));
  EXPECT_EQ(info.video.codec, "png");
  EXPECT_EQ(info.video.format,
            (PictureFormat{160, 96, ColourModel::kRgb, ChromaSubsampling::k444, 8}));
  EXPECT_TRUE(info.video.colour.full_range);
  EXPECT_NEAR(info.duration_s, 0.4, 1e-9);
  const std::string before = fingerprint(path("shot_%04d.png"));
  fs::remove(path("shot_1000.png"));
  expect_refused(path("shot_%04d.png"), "shot_1000.png is missing");
  fs::copy(path("shot_0999.png"), path("shot_1000.png"));
  EXPECT_NE(fingerprint(path("shot_%04d.png")), before);
}

TEST_F(Probe, FolderNamesMayHoldWhatPatternsAreMadeOf) {
  const fs::path odd = folder_.path() / "100% [odd]: 'x'";
  fs::create_directory(odd);
  make("plain.mkv", "yuv420p", "-c:v libx264");
  fs::copy(path("plain.mkv"), odd / "a%03d.mkv");
  EXPECT_EQ(probe(odd / "a%03d.mkv").video.codec, "h264");
  for (int i = 0; i < 3; ++i) {
    const std::string name = "p" + std::to_string(i) + ".png";
    test::run_ffmpeg(
        {"-i", path("plain.mkv").string(), "-frames:v", "1", path("one.png").string()});
    fs::copy(path("one.png"), odd / name);
  }
  EXPECT_NEAR(probe(odd / "p%d.png").duration_s, 0.12, 1e-9);
}

TEST_F(Probe, FingerprintIsOfTheContent) {
  const fs::path film = make("a.mkv", "yuv420p", "-c:v libx264");
  fs::copy(film, path("b.mkv"));
  EXPECT_EQ(fingerprint(film), fingerprint(path("b.mkv")));
  EXPECT_EQ(fingerprint(film).size(), 64U);
  std::string big(12'000'000, 'a');
  const std::string was = fingerprint(write("big", big));
  EXPECT_NE(fingerprint(write("longer", big + 'a')), was);
  big.back() = 'b';
  EXPECT_NE(fingerprint(write("end", big)), was);
  EXPECT_THROW(fingerprint(path("nowhere")), Error);
}

TEST(LibraryVersions, NameEveryLibrary) {
  const std::string versions = library_versions();
  for (const char* name :
       {"libavformat", "libavcodec", "libavfilter", "libavutil", "libswscale", "libswresample"}) {
    EXPECT_THAT(versions, HasSubstr(name));
  }
}

TEST(Codecs, AreFoundByTheirNames) {
  EXPECT_TRUE(has_encoder("ac3"));
  EXPECT_FALSE(has_encoder("libnothing"));
  EXPECT_TRUE(has_decoder("mpeg2video"));
  EXPECT_FALSE(has_decoder("nothing"));
  EXPECT_FALSE(has_decoder("libx265"));  // an encoder's name is no codec's
}

}  // namespace
}  // namespace vsr::media
