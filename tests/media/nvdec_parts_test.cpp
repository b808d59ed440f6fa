// What of decoding by NVDEC can be tested without a GPU: which format is chosen, what is refused
// and in which words, and the way of a picture from NVDEC's form to the decoder's own.
#include "encoded_films.hpp"
#include "media/nvdec.hpp"
#include "media/picture_decoder.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <optional>
#include <random>
#include <string>

namespace vsr::media {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Refusal {
  std::optional<ErrorCode> code;
  std::string text;
};

Refusal refusal_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

TEST(NvdecChoice, TakesTheGpusFormatWhereverItStands) {
  for (const auto& offer :
       {std::array{AV_PIX_FMT_CUDA, AV_PIX_FMT_VAAPI, AV_PIX_FMT_YUV420P, AV_PIX_FMT_NONE},
        std::array{AV_PIX_FMT_VDPAU, AV_PIX_FMT_CUDA, AV_PIX_FMT_YUV420P, AV_PIX_FMT_NONE}}) {
    NvdecChoice choice;
    EXPECT_EQ(choice.choose(offer.data(), "h264"), AV_PIX_FMT_CUDA);
    EXPECT_EQ(choice.refusal(), "");
  }
}

TEST(NvdecChoice, RefusesAFormThatNvdecIsNotOfferedFor) {
  const std::array offer{AV_PIX_FMT_VAAPI, AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_NONE};
  NvdecChoice choice;
  EXPECT_EQ(choice.choose(offer.data(), "h264"), AV_PIX_FMT_NONE);
  EXPECT_EQ(choice.refusal(), "NVDEC does not decode h264 in yuv422p10le");
  EXPECT_FALSE(choice.refused_by_gpu());
}

TEST(NvdecChoice, BlamesTheGpuWhenAskedAgainWithoutIt) {
  const std::array first{AV_PIX_FMT_CUDA, AV_PIX_FMT_VAAPI, AV_PIX_FMT_YUV420P, AV_PIX_FMT_NONE};
  const std::array again{AV_PIX_FMT_VAAPI, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P, AV_PIX_FMT_NONE};
  NvdecChoice choice;
  EXPECT_EQ(choice.choose(first.data(), "hevc"), AV_PIX_FMT_CUDA);
  EXPECT_EQ(choice.choose(again.data(), "hevc"), AV_PIX_FMT_NONE);
  EXPECT_EQ(choice.refusal(), "this GPU does not decode hevc of this kind in yuv420p");
  EXPECT_TRUE(choice.refused_by_gpu());
  // The reason stays, however often the decoder begins anew.
  EXPECT_EQ(choice.choose(first.data(), "hevc"), AV_PIX_FMT_NONE);
  EXPECT_TRUE(choice.refused_by_gpu());
}

// Another form in mid-film is the stream's doing, not the GPU's.
TEST(NvdecChoice, TellsAnotherFormFromARefusalOfTheGpu) {
  const std::array first{AV_PIX_FMT_CUDA, AV_PIX_FMT_YUV420P, AV_PIX_FMT_NONE};
  const std::array other{AV_PIX_FMT_YUV422P, AV_PIX_FMT_NONE};
  NvdecChoice choice;
  EXPECT_EQ(choice.choose(first.data(), "mpeg2video"), AV_PIX_FMT_CUDA);
  EXPECT_EQ(choice.choose(other.data(), "mpeg2video"), AV_PIX_FMT_NONE);
  EXPECT_FALSE(choice.refused_by_gpu());
  EXPECT_EQ(choice.refusal(), "NVDEC does not decode mpeg2video in yuv422p");
}

// FFmpeg's own decoder, told to use a GPU that it does not have: it asks a second time, and gets no
// picture out of that.
TEST(NvdecChoice, ADecoderWithoutAGpuGivesNoPictureByTheBack) {
  const test::TemporaryFolder folder;
  const auto film = folder.path() / "a.mkv";
  test::encode_film(film, {.encoder = "mpeg2video", .frames = 6});
  PictureDecoder packets(film.string(), -1, 1);
  const AVCodec& codec = nvdec_decoder(film.string(), AV_CODEC_ID_MPEG2VIDEO);
  EXPECT_STREQ(codec.name, "mpeg2video");
  const CodecPtr decoder(avcodec_alloc_context3(&codec));
  ASSERT_GE(avcodec_parameters_to_context(decoder.get(), packets.stream().codecpar), 0);
  NvdecChoice choice;
  decoder->opaque = &choice;
  decoder->thread_count = 1;
  decoder->get_format = [](AVCodecContext* asking, const AVPixelFormat* offered) {
    return static_cast<NvdecChoice*>(asking->opaque)->choose(offered, "mpeg2video");
  };
  ASSERT_GE(avcodec_open2(decoder.get(), &codec, nullptr), 0);
  const FramePtr frame = make_frame();
  int pictures = 0;
  while (const AVPacket* packet = packets.read_packet()) {
    avcodec_send_packet(decoder.get(), packet);
    if (avcodec_receive_frame(decoder.get(), frame.get()) >= 0) ++pictures;
  }
  EXPECT_EQ(pictures, 0);
  EXPECT_TRUE(choice.refused_by_gpu()) << choice.refusal();
}

TEST(NvdecDecoder, NamesTheCodecsItIsFor) {
  const Refusal refusal = refusal_of([] { nvdec_decoder("film.mov", AV_CODEC_ID_PRORES); });
  EXPECT_EQ(refusal.code, ErrorCode::kUsage);
  EXPECT_THAT(refusal.text,
              AllOf(HasSubstr("film.mov"),
                    HasSubstr("mpeg2video, h264, hevc"),
                    HasSubstr("this one is in prores"),
                    HasSubstr("stream.decode = cpu")));
  // Decoded by NVDEC too, but not to the same pictures by definition.
  EXPECT_EQ(refusal_of([] { nvdec_decoder("film.avi", AV_CODEC_ID_MPEG4); }).code,
            ErrorCode::kUsage);
}

// NVIDIA's own decoders (h264_cuvid) order pictures by themselves.
TEST(NvdecDecoder, IsFFmpegsOwn) {
  for (const auto& [id, name] : {std::pair{AV_CODEC_ID_H264, "h264"},
                                 std::pair{AV_CODEC_ID_HEVC, "hevc"},
                                 std::pair{AV_CODEC_ID_MPEG1VIDEO, "mpeg1video"},
                                 std::pair{AV_CODEC_ID_VC1, "vc1"},
                                 std::pair{AV_CODEC_ID_VP9, "vp9"}}) {
    EXPECT_STREQ(nvdec_decoder("film", id).name, name);
  }
}

TEST(Nvdec, WhereThereIsNoGpuTheFilmIsRefusedAndNotDecodedOtherwise) {
  const test::TemporaryFolder folder;
  const auto film = folder.path() / "a.mkv";
  test::encode_film(film, {.encoder = "mpeg2video", .frames = 12});
  const Timeline timeline = plan_timeline(probe(film), {}).timeline;
  const Refusal refusal = refusal_of([&] { check_nvdec(timeline, {}); });
  if (!refusal.code) GTEST_SKIP() << "there is a GPU that decodes";
  EXPECT_EQ(refusal.code, ErrorCode::kGpu) << refusal.text;
  EXPECT_THAT(refusal.text, AllOf(HasSubstr("a.mkv"), HasSubstr("stream.decode = cpu")));
  EXPECT_THAT(refusal.text, ::testing::Not(HasSubstr("\n")));
}

TEST(Nvdec, AFilmInAnotherCodecIsRefusedBeforeTheGpuIsAsked) {
  const test::TemporaryFolder folder;
  const auto film = folder.path() / "a.mkv";
  test::encode_film(film, {.encoder = "ffv1", .frames = 12});
  const Timeline timeline = plan_timeline(probe(film), {}).timeline;
  const Refusal refusal = refusal_of([&] { check_nvdec(timeline, {}); });
  EXPECT_EQ(refusal.code, ErrorCode::kUsage) << refusal.text;
  EXPECT_THAT(refusal.text, HasSubstr("this one is in ffv1"));
}

TEST(Nvdec, ALosslessCopyIsRefused) {
  const test::TemporaryFolder folder;
  const auto film = folder.path() / "a.mkv";
  test::encode_film(film, {.encoder = "mpeg2video", .frames = 12});
  const Timeline timeline = write_mezzanine(
      probe(film), {}, folder.path() / "timeline.mkv", [](std::int64_t) { return true; });
  const Refusal refusal = refusal_of([&] { FrameReader(timeline, 0, 1, {.nvdec = true}); });
  EXPECT_EQ(refusal.code, ErrorCode::kUsage);
  EXPECT_THAT(refusal.text, AllOf(HasSubstr("lossless copy"), HasSubstr("timeline.mkv")));
}

// --- From NVDEC's form to the decoder's ----------------------------------------------------------

struct Form {
  AVPixelFormat nvdec;
  AVPixelFormat own;
  int shift;
};

// Samples at random in the decoder's own form, and the same picture as NVDEC would give it.
std::pair<FramePtr, FramePtr> same_picture(const Form& form, int width, int height) {
  const PictureFormat format = known_picture_format(form.own, width, height);
  FramePtr own = allocate_frame(format);
  FramePtr nvdec = make_frame();
  nvdec->format = form.nvdec;
  nvdec->width = width;
  nvdec->height = height;
  check_av(av_frame_get_buffer(nvdec.get(), 0), ErrorCode::kInternal, "picture");
  const MutablePictureView view = mutable_view_of(*own);
  const bool semi_planar = av_pix_fmt_count_planes(form.nvdec) == 2;
  std::minstd_rand random(7);
  for (int plane = 0; plane < 3; ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    const std::size_t to = semi_planar && plane > 0 ? 1 : i;
    const int step = to == 1 && semi_planar ? 2 : 1;
    const int first = semi_planar && plane == 2 ? 1 : 0;
    for (int y = 0; y < plane_height(format, plane); ++y) {
      for (int x = 0; x < plane_width(format, plane); ++x) {
        const auto sample = static_cast<unsigned>(random()) & ((1u << format.bit_depth) - 1);
        std::byte* out = view.planes[i] + y * view.pitch_bytes[i];
        std::uint8_t* in = nvdec->data[to] + static_cast<std::ptrdiff_t>(y) * nvdec->linesize[to];
        const int at = first + step * x;
        if (format.bit_depth == 8) {
          out[x] = static_cast<std::byte>(sample);
          in[at] = static_cast<std::uint8_t>(sample);
        } else {
          reinterpret_cast<std::uint16_t*>(out)[x] = static_cast<std::uint16_t>(sample);
          reinterpret_cast<std::uint16_t*>(in)[at] =
              static_cast<std::uint16_t>(sample << form.shift);
        }
      }
    }
  }
  return {std::move(own), std::move(nvdec)};
}

std::string samples_of(const AVFrame& frame) {
  const PictureView view = view_of(frame);
  std::string all(packed_bytes(view.format), '\0');
  copy_picture(view, packed_view(view.format, reinterpret_cast<std::byte*>(all.data())));
  return all;
}

TEST(PlanarOf, GivesEverySampleItsPlace) {
  for (const Form& form : {Form{AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P, 0},
                           Form{AV_PIX_FMT_NV12, AV_PIX_FMT_YUVJ420P, 0},
                           Form{AV_PIX_FMT_P010LE, AV_PIX_FMT_YUV420P10LE, 6},
                           Form{AV_PIX_FMT_P016LE, AV_PIX_FMT_YUV420P12LE, 4},
                           Form{AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV444P, 0},
                           Form{AV_PIX_FMT_YUV444P16LE, AV_PIX_FMT_YUV444P10LE, 6},
                           Form{AV_PIX_FMT_YUV444P16LE, AV_PIX_FMT_YUV444P12LE, 4}}) {
    for (const auto& [width, height] : {std::pair{64, 48}, std::pair{67, 35}}) {
      const auto [own, nvdec] = same_picture(form, width, height);
      nvdec->pts = 1234;
      nvdec->repeat_pict = 1;
      nvdec->color_range = AVCOL_RANGE_JPEG;
      const FramePtr made = planar_of(*nvdec, form.own);
      EXPECT_EQ(made->format, form.own);
      EXPECT_EQ(samples_of(*made), samples_of(*own)) << format_name(form.nvdec) << " " << width;
      EXPECT_EQ(made->pts, 1234);
      EXPECT_EQ(made->repeat_pict, 1);
      EXPECT_EQ(made->color_range, AVCOL_RANGE_JPEG);
    }
  }
}

TEST(PlanarOf, RefusesWhatItWouldGetWrong) {
  auto [own, nvdec] = same_picture({AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P, 0}, 64, 48);
  Refusal refusal = refusal_of([&] { planar_of(*nvdec, AV_PIX_FMT_YUV422P); });
  EXPECT_EQ(refusal.code, ErrorCode::kUsage);
  EXPECT_THAT(refusal.text, AllOf(HasSubstr("yuv422p"), HasSubstr("nv12")));
  EXPECT_EQ(refusal_of([&] { planar_of(*nvdec, AV_PIX_FMT_YUV420P10LE); }).code, ErrorCode::kUsage);
  nvdec->crop_left = 2;
  refusal = refusal_of([&] { planar_of(*nvdec, AV_PIX_FMT_YUV420P); });
  EXPECT_EQ(refusal.code, ErrorCode::kUsage);
  EXPECT_THAT(refusal.text, HasSubstr("2 columns at the left"));
}

TEST(RefuseHalfRows, OnlyInterlacedMpeg2OfAnOddNumberOfRows) {
  const FramePtr picture = make_frame();
  const auto refused = [&](int height, bool interlaced, AVCodecID codec) {
    picture->height = height;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    picture->flags = interlaced ? AV_FRAME_FLAG_INTERLACED : 0;
#else
    picture->interlaced_frame = interlaced ? 1 : 0;
#endif
    return refusal_of([&] { refuse_half_rows(*picture, codec); }).code == ErrorCode::kUsage;
  };
  EXPECT_TRUE(refused(144, true, AV_CODEC_ID_MPEG2VIDEO));
  EXPECT_TRUE(refused(720, true, AV_CODEC_ID_MPEG2VIDEO));
  for (const int height : {576, 480, 1080, 160, 145}) {
    EXPECT_FALSE(refused(height, true, AV_CODEC_ID_MPEG2VIDEO)) << height;
  }
  EXPECT_FALSE(refused(720, false, AV_CODEC_ID_MPEG2VIDEO));
  EXPECT_FALSE(refused(144, true, AV_CODEC_ID_H264));
}

TEST(IsOnGpu, NotOnTheHost) {
  const auto [own, nvdec] = same_picture({AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P, 0}, 64, 48);
  EXPECT_FALSE(is_on_gpu(*own));
  EXPECT_FALSE(is_on_gpu(*nvdec));
}

}  // namespace
}  // namespace vsr::media
