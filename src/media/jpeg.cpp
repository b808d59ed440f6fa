#include "vsr/media/jpeg.hpp"

#include "av.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace vsr::media {

namespace {

// FFmpeg's scale for what others call 85, 75, 65, 50.
constexpr int kQualities[] = {4, 6, 9, 13};

std::uint8_t rounded(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}

// JPEG's own colours (JFIF): BT.601's matrix on the whole range, a chroma sample in the middle of
// its four pixels.
FramePtr to_jpeg_colours(const PictureView& picture) {
  const int width = picture.format.width;
  const int height = picture.format.height;
  FramePtr frame = make_frame();
  frame->format = AV_PIX_FMT_YUVJ420P;
  frame->width = width;
  frame->height = height;
  frame->color_range = AVCOL_RANGE_JPEG;
  frame->colorspace = AVCOL_SPC_BT470BG;
  check_av(av_frame_get_buffer(frame.get(), 0), ErrorCode::kInternal, "allocating a picture");
  const auto pixel = [&](int x, int y) {
    std::array<double, 3> values{};
    for (std::size_t plane = 0; plane < 3; ++plane) {
      values[plane] = std::to_integer<int>(
          picture.planes[plane][std::min(y, height - 1) * picture.pitch_bytes[plane] +
                                std::min(x, width - 1)]);
    }
    return values;
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto [red, green, blue] = pixel(x, y);
      frame->data[0][y * frame->linesize[0] + x] =
          rounded(0.299 * red + 0.587 * green + 0.114 * blue);
    }
  }
  for (int y = 0; y < (height + 1) / 2; ++y) {
    for (int x = 0; x < (width + 1) / 2; ++x) {
      std::array<double, 3> mean{};
      for (const int place : {0, 1, 2, 3}) {
        const auto values = pixel(2 * x + place % 2, 2 * y + place / 2);
        for (std::size_t plane = 0; plane < 3; ++plane) mean[plane] += values[plane] / 4;
      }
      const auto [red, green, blue] = mean;
      frame->data[1][y * frame->linesize[1] + x] =
          rounded(128 - 0.168736 * red - 0.331264 * green + 0.5 * blue);
      frame->data[2][y * frame->linesize[2] + x] =
          rounded(128 + 0.5 * red - 0.418688 * green - 0.081312 * blue);
    }
  }
  return frame;
}

std::string encode(AVFrame& frame, int quality) {
  const AVCodec* found = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (found == nullptr) throw Error(ErrorCode::kInternal, "this FFmpeg has no encoder for JPEG");
  CodecPtr encoder(avcodec_alloc_context3(found));
  if (!encoder) throw Error(ErrorCode::kInternal, "out of memory");
  encoder->width = frame.width;
  encoder->height = frame.height;
  encoder->pix_fmt = static_cast<AVPixelFormat>(frame.format);
  encoder->color_range = frame.color_range;
  encoder->colorspace = frame.colorspace;
  encoder->sample_aspect_ratio = {1, 1};  // square pixels; with it FFmpeg writes a JFIF header
  encoder->time_base = {1, 25};
  encoder->thread_count = 1;
  encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  encoder->global_quality = quality * FF_QP2LAMBDA;
  check_av(
      avcodec_open2(encoder.get(), found, nullptr), ErrorCode::kInternal, "opening the encoder");
  frame.quality = encoder->global_quality;
  frame.pts = 0;
  check_av(avcodec_send_frame(encoder.get(), &frame), ErrorCode::kInternal, "encoding a JPEG");
  PacketPtr packet = make_packet();
  check_av(
      avcodec_receive_packet(encoder.get(), packet.get()), ErrorCode::kInternal, "encoding a JPEG");
  return {reinterpret_cast<const char*>(packet->data), static_cast<std::size_t>(packet->size)};
}

}  // namespace

std::string encode_jpeg(const PictureView& picture, std::size_t most_bytes) {
  const PictureFormat& format = picture.format;
  if (format.model != ColourModel::kRgb || format.bit_depth != 8) {
    throw Error(ErrorCode::kInternal, vsr::format("a JPEG of {}", to_string(format)));
  }
  const FramePtr frame = to_jpeg_colours(picture);
  std::string jpeg;
  for (const int quality : kQualities) {
    jpeg = encode(*frame, quality);
    if (jpeg.size() <= most_bytes) break;
  }
  return jpeg;
}

}  // namespace vsr::media
