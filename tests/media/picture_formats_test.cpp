// Samples arrive as they were, whatever the format they were stored in.
#include "clips.hpp"
#include "media/picture_filter.hpp"
#include "vsr/base/error.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace vsr::media {
namespace {

namespace fs = std::filesystem;
using test::make_clip;
using test::read_hashes;
using Hashes = std::vector<std::string>;

struct Stored {
  const char* name;
  const char* planar;  // what the pictures were
  const char* stored;  // how the file holds them, nothing lost
};

std::ostream& operator<<(std::ostream& out, const Stored& stored) { return out << stored.name; }

class StoredFormat : public ::testing::TestWithParam<Stored> {};

TEST_P(StoredFormat, GivesThePlanarSamplesThatWentIn) {
  VSR_NEED_FFMPEG();
  const Stored& stored = GetParam();
  const test::TemporaryFolder folder;
  const auto make = [&](const char* name, const std::string& filters) {
    return make_clip(folder.path() / name,
                     {.frames = 6, .width = 66, .height = 34, .filters = filters},
                     "-c:v rawvideo");
  };
  const std::string planar = std::string("format=") + stored.planar;
  const fs::path was = make("was.nut", planar);
  const fs::path is = make("is.nut", planar + ",format=" + stored.stored);
  const TimelinePlan plan = plan_timeline(probe(is), {});
  const Timeline reference = plan_timeline(probe(was), {}).timeline;
  EXPECT_EQ(plan.timeline.format, reference.format);
  const Hashes all = read_hashes(plan.timeline, 0);
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(all, read_hashes(reference, 0));
  const bool alpha = std::string(stored.stored).find('a') != std::string::npos &&
                     std::string(stored.stored).find("gray") == std::string::npos;
  if (alpha) {
    EXPECT_THAT(plan.warnings, ::testing::Contains(::testing::HasSubstr("transparency")));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats,
                         StoredFormat,
                         ::testing::Values(Stored{"Nv12", "yuv420p", "nv12"},
                                           Stored{"Nv21", "yuv420p", "nv21"},
                                           Stored{"Yuyv", "yuv422p", "yuyv422"},
                                           Stored{"Uyvy", "yuv422p", "uyvy422"},
                                           Stored{"Yuva420", "yuv420p", "yuva420p"},
                                           Stored{"Yuva444Ten", "yuv444p10", "yuva444p10le"},
                                           Stored{"BigEndian", "yuv422p10", "yuv422p10be"},
                                           Stored{"Rgb24", "gbrp", "rgb24"},
                                           Stored{"Bgr24", "gbrp", "bgr24"},
                                           Stored{"Bgra", "gbrp", "bgra"},
                                           Stored{"Rgb48", "gbrp16", "rgb48le"},
                                           Stored{"Gray10", "gray10", "gray10be"}),
                         [](const auto& made) { return std::string(made.param.name); });

struct Depth {
  const char* name;
  const char* format;
  PictureFormat picture;
  bool full_range;
};

std::ostream& operator<<(std::ostream& out, const Depth& depth) { return out << depth.name; }

class PlanarFormat : public ::testing::TestWithParam<Depth> {};

TEST_P(PlanarFormat, KeepsDepthSubsamplingAndRangeEvenThroughAMezzanine) {
  VSR_NEED_FFMPEG();
  const Depth& depth = GetParam();
  const test::TemporaryFolder folder;
  const fs::path film =
      make_clip(folder.path() / "a.mkv",
                {.frames = 6,
                 .width = 64,
                 .height = 34,
                 .filters = std::string("scale=out_range=") +
                            (depth.full_range ? "full" : "limited") + ",format=" + depth.format},
                (std::string(depth.format) == "yuvj422p" ? std::string("-c:v mjpeg")
                                                         : std::string("-c:v ffv1")) +
                    " -color_range " + (depth.full_range ? "pc" : "tv"));
  TimelineOptions options;
  const Timeline direct = plan_timeline(probe(film), options).timeline;
  EXPECT_EQ(direct.format, depth.picture);
  EXPECT_EQ(direct.colour.full_range, depth.full_range);
  const Hashes all = read_hashes(direct, 0);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 6U);
  if (depth.picture.model != ColourModel::kRgb) {
    EXPECT_EQ(all, test::ffmpeg_hashes(film, ""));
  }
  const Timeline stored = write_mezzanine(probe(film), options, folder.path() / "m.mkv", {});
  EXPECT_EQ(stored.format, depth.picture);
  EXPECT_EQ(stored.colour, direct.colour);
  EXPECT_EQ(read_hashes(stored, 0), all);
  EXPECT_EQ(read_hashes(stored, 4), Hashes(all.begin() + 4, all.end()));
}

PictureFormat picture(ColourModel model, ChromaSubsampling subsampling, int bits) {
  return {64, 34, model, subsampling, bits};
}

INSTANTIATE_TEST_SUITE_P(
    Formats,
    PlanarFormat,
    ::testing::Values(
        Depth{"Yuv420", "yuv420p", picture(ColourModel::kYuv, ChromaSubsampling::k420, 8), false},
        Depth{
            "Yuv420Full", "yuv420p", picture(ColourModel::kYuv, ChromaSubsampling::k420, 8), true},
        Depth{"Yuvj422", "yuvj422p", picture(ColourModel::kYuv, ChromaSubsampling::k422, 8), true},
        Depth{"Yuv420Nine",
              "yuv420p9",
              picture(ColourModel::kYuv, ChromaSubsampling::k420, 9),
              false},
        Depth{"Yuv422Ten",
              "yuv422p10",
              picture(ColourModel::kYuv, ChromaSubsampling::k422, 10),
              false},
        Depth{"Yuv422TenFull",
              "yuv422p10",
              picture(ColourModel::kYuv, ChromaSubsampling::k422, 10),
              true},
        Depth{"Yuv444Twelve",
              "yuv444p12",
              picture(ColourModel::kYuv, ChromaSubsampling::k444, 12),
              false},
        Depth{"Yuv420Sixteen",
              "yuv420p16",
              picture(ColourModel::kYuv, ChromaSubsampling::k420, 16),
              false},
        Depth{"Gray", "gray", picture(ColourModel::kGray, ChromaSubsampling::k420, 8), true},
        Depth{"Gray12", "gray12", picture(ColourModel::kGray, ChromaSubsampling::k420, 12), true},
        Depth{"Rgb", "gbrp", picture(ColourModel::kRgb, ChromaSubsampling::k444, 8), true},
        Depth{
            "RgbTwelve", "gbrp12", picture(ColourModel::kRgb, ChromaSubsampling::k444, 12), true}),
    [](const auto& made) { return std::string(made.param.name); });

// Red, green and blue planes in this order; a still's file is full range and runs at the wanted
// rate.
TEST(RgbPictures, ImageSequencePlanesAreRedGreenBlue) {
  const test::TemporaryFolder folder;
  for (int i = 7; i < 10; ++i) {
    std::ofstream file(folder.path() / ("0" + std::to_string(i) + ".ppm"), std::ios::binary);
    file << "P6 32 16 255\n";
    for (int pixel = 0; pixel < 32 * 16; ++pixel) {
      file << static_cast<char>(0x10 + i) << static_cast<char>(0x20 + i)
           << static_cast<char>(0xe0 + i);
    }
  }
  TimelineOptions options;
  options.fps = Rational(24, 1);
  const TimelinePlan plan = plan_timeline(probe(folder.path() / "%02d.ppm"), options);
  ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
  EXPECT_EQ(plan.timeline.rate, Rational(24, 1));
  EXPECT_EQ(plan.timeline.frames(), 3);
  EXPECT_TRUE(plan.timeline.colour.full_range);
  FrameReader reader(plan.timeline, 1);
  PictureView view;
  ASSERT_TRUE(reader.read(view));
  EXPECT_EQ(view.format, (PictureFormat{32, 16, ColourModel::kRgb, ChromaSubsampling::k444, 8}));
  EXPECT_EQ(static_cast<int>(view.planes[0][0]), 0x18);
  EXPECT_EQ(static_cast<int>(view.planes[1][0]), 0x28);
  EXPECT_EQ(static_cast<int>(view.planes[2][0]), 0xe8);
}

TEST(OddChroma, FourOneOneIsInterpolatedWithAWarningAndLumaUntouched) {
  VSR_NEED_FFMPEG();
  const test::TemporaryFolder folder;
  const fs::path film = make_clip(
      folder.path() / "a.nut", {.frames = 4, .filters = "format=yuv411p"}, "-c:v rawvideo");
  const fs::path luma = make_clip(folder.path() / "y.nut",
                                  {.frames = 4, .filters = "format=yuv411p,extractplanes=y"},
                                  "-c:v rawvideo");
  const TimelinePlan plan = plan_timeline(probe(film), {});
  EXPECT_EQ(plan.timeline.format.subsampling, ChromaSubsampling::k444);
  EXPECT_THAT(plan.warnings, ::testing::Contains(::testing::HasSubstr("interpolated")));
  FrameReader reader(plan.timeline, 0);
  const Hashes wanted = test::ffmpeg_hashes(luma, "");
  PictureView view;
  for (const std::string& hash : wanted) {
    ASSERT_TRUE(reader.read(view));
    PictureView gray = view;
    gray.format.model = ColourModel::kGray;
    EXPECT_EQ(test::hash_of(gray), hash);
  }
}

TEST(OddFormats, FloatingPointIsRefused) {
  VSR_NEED_FFMPEG();
  const test::TemporaryFolder folder;
  make_clip(folder.path() / "a_%d.exr", {.frames = 2, .filters = "format=gbrpf32le"}, "-c:v exr");
  try {
    probe(folder.path() / "a_%d.exr");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("gbrpf32le"));
  }
}

// What hardware decoders give: two planes, values in the upper ten bits.
TEST(OddFormats, P010BecomesPlanarTenBit) {
  FramePtr frame = make_frame();
  frame->format = AV_PIX_FMT_P010LE;
  frame->width = 34;
  frame->height = 18;
  ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
  const auto value = [](int x, int y, int plane) { return (x * 31 + y * 57 + plane * 401) % 1024; };
  for (int plane = 0; plane < 2; ++plane) {
    const std::ptrdiff_t pitch_bytes = frame->linesize[plane];
    for (int y = 0; y < 18 >> plane; ++y) {
      auto* row = reinterpret_cast<std::uint16_t*>(frame->data[plane] + y * pitch_bytes);
      for (int x = 0; x < 34; ++x) {
        const int sample = plane == 0 ? value(x, y, 0) : value(x / 2, y, 1 + x % 2);
        row[x] = static_cast<std::uint16_t>(sample << 6);
      }
    }
  }
  frame->pts = 0;
  PictureFilter filter({.time_base = {1, 25}});
  filter.send(std::move(frame));
  filter.finish();
  const FramePtr out = filter.receive();
  ASSERT_TRUE(out);
  const PictureView view = view_of(*out);
  EXPECT_EQ(view.format, (PictureFormat{34, 18, ColourModel::kYuv, ChromaSubsampling::k420, 10}));
  for (int plane = 0; plane < 3; ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    for (int y = 0; y < plane_height(view.format, plane); ++y) {
      const auto* row =
          reinterpret_cast<const std::uint16_t*>(view.planes[i] + y * view.pitch_bytes[i]);
      for (int x = 0; x < plane_width(view.format, plane); ++x) {
        ASSERT_EQ(row[x], value(x, y, plane)) << plane << " " << x << "," << y;
      }
    }
  }
}

// FFmpeg 5 makes limited range of what it converts, unless told otherwise.
TEST(OddFormats, PackedFullRangeStaysFullRange) {
  FramePtr frame = make_frame();
  frame->format = AV_PIX_FMT_YUYV422;
  frame->width = 64;
  frame->height = 4;
  ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 128; ++x)
      frame->data[0][y * frame->linesize[0] + x] = static_cast<std::uint8_t>(2 * x + y);
  }
  frame->pts = 0;
  const ColourDescription full{.full_range = true};
  PictureFilter filter({.time_base = {1, 25}, .colour = full, .out_full_range = true});
  filter.send(std::move(frame));
  const FramePtr out = filter.receive();
  ASSERT_TRUE(out);
  const PictureView view = view_of(*out);
  EXPECT_EQ(view.format, (PictureFormat{64, 4, ColourModel::kYuv, ChromaSubsampling::k422, 8}));
  EXPECT_TRUE(colour_after(*out, full, view.format).full_range);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 64; ++x) {
      ASSERT_EQ(static_cast<int>(view.planes[0][y * view.pitch_bytes[0] + x]), 4 * x + y);
    }
  }
}

// Every format FFmpeg has finds a planar form or is refused, and none loses depth.
TEST(PlanarForms, NeverLoseDepth) {
  const AVPixFmtDescriptor* described = nullptr;
  int formats = 0;
  while ((described = av_pix_fmt_desc_next(described)) != nullptr) {
    const auto planar = planar_format(av_pix_fmt_desc_get_id(described));
    if (!planar) continue;
    ++formats;
    const auto format = picture_format(*planar, 16, 16);
    ASSERT_TRUE(format) << described->name;
    if ((described->flags & AV_PIX_FMT_FLAG_PAL) != 0) continue;
    for (int i = 0; i < described->nb_components; ++i) {
      EXPECT_GE(format->bit_depth, described->comp[i].depth) << described->name;
    }
    const bool rgb = (described->flags & AV_PIX_FMT_FLAG_RGB) != 0;
    EXPECT_EQ(format->model == ColourModel::kRgb, rgb) << described->name;
  }
  EXPECT_GT(formats, 100);
  for (const AVPixelFormat format : {AV_PIX_FMT_RGB24,
                                     AV_PIX_FMT_BGR0,
                                     AV_PIX_FMT_PAL8,
                                     AV_PIX_FMT_RGBA64LE,
                                     AV_PIX_FMT_NV12,
                                     AV_PIX_FMT_P010LE,
                                     AV_PIX_FMT_YA8,
                                     AV_PIX_FMT_MONOBLACK}) {
    EXPECT_TRUE(planar_format(format)) << format_name(format);
  }
}

}  // namespace
}  // namespace vsr::media
