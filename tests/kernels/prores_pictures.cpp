#include "prores_pictures.hpp"

#include "media/av.hpp"
#include "test_support.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>

namespace vsr::kernels::test {

namespace {

using namespace media;

std::vector<FramePtr> decode_clip() {
  AVFormatContext* opened = nullptr;
  const std::string path = (vsr::test::source_dir() / "tests/data/reds_demo_000.mkv").string();
  check_av(avformat_open_input(&opened, path.c_str(), nullptr, nullptr), ErrorCode::kInput, path);
  const InputPtr input(opened);
  const AVCodec* codec = nullptr;
  const int stream =
      check_av(av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0),
               ErrorCode::kInput,
               path);
  const CodecPtr decoder(avcodec_alloc_context3(codec));
  check_av(avcodec_parameters_to_context(decoder.get(), input->streams[stream]->codecpar),
           ErrorCode::kInput,
           path);
  check_av(avcodec_open2(decoder.get(), codec, nullptr), ErrorCode::kInput, path);
  std::vector<FramePtr> frames;
  const PacketPtr packet = make_packet();
  for (bool more = true; more;) {
    more = av_read_frame(input.get(), packet.get()) >= 0;
    if (more && packet->stream_index != stream) {
      av_packet_unref(packet.get());
      continue;
    }
    check_av(
        avcodec_send_packet(decoder.get(), more ? packet.get() : nullptr), ErrorCode::kInput, path);
    av_packet_unref(packet.get());
    FramePtr frame = make_frame();
    while (avcodec_receive_frame(decoder.get(), frame.get()) >= 0) {
      frames.push_back(std::move(frame));
      frame = make_frame();
    }
  }
  return frames;
}

FramePtr frame_of(const HostPicture& picture) {
  FramePtr frame = make_frame();
  frame->format = AV_PIX_FMT_YUV422P10;
  frame->width = picture.width;
  frame->height = picture.height;
  check_av(av_frame_get_buffer(frame.get(), 0), ErrorCode::kInternal, "a frame");
  for (int p = 0; p < 3; ++p) {
    for (int y = 0; y < picture.height; ++y) {
      std::memcpy(frame->data[p] + static_cast<std::ptrdiff_t>(y) * frame->linesize[p],
                  &picture.planes[p][static_cast<std::size_t>(y * picture.plane_width(p))],
                  static_cast<std::size_t>(picture.plane_width(p)) * 2);
    }
  }
  return frame;
}

HostPicture picture_of(const AVFrame& frame) {
  HostPicture picture(frame.width, frame.height);
  for (int p = 0; p < 3; ++p) {
    for (int y = 0; y < picture.height; ++y) {
      std::memcpy(&picture.planes[p][static_cast<std::size_t>(y * picture.plane_width(p))],
                  frame.data[p] + static_cast<std::ptrdiff_t>(y) * frame.linesize[p],
                  static_cast<std::size_t>(picture.plane_width(p)) * 2);
    }
  }
  return picture;
}

}  // namespace

HostPicture film_picture(int width, int height, int index, double noise) {
  static const std::vector<FramePtr> clip = decode_clip();
  const AVFrame& from = *clip[static_cast<std::size_t>(index) % clip.size()];
  const AvPtr<SwsContext> scaler(sws_getContext(from.width,
                                                from.height,
                                                static_cast<AVPixelFormat>(from.format),
                                                width,
                                                height,
                                                AV_PIX_FMT_YUV422P10,
                                                SWS_BICUBIC | SWS_ACCURATE_RND,
                                                nullptr,
                                                nullptr,
                                                nullptr));
  if (!scaler) throw std::runtime_error("no scaler");
  const FramePtr to = frame_of(HostPicture(width, height));
  sws_scale(scaler.get(), from.data, from.linesize, 0, from.height, to->data, to->linesize);
  HostPicture picture = picture_of(*to);
  std::mt19937 random(static_cast<unsigned>(index) + 1);
  std::normal_distribution<double> grain(0, noise);
  for (auto& plane : picture.planes) {
    for (std::uint16_t& sample : plane) {
      sample =
          static_cast<std::uint16_t>(std::clamp(std::lround(sample + grain(random)), 4l, 1019l));
    }
  }
  return picture;
}

HostPicture flat_picture(int width, int height, int luma, int chroma) {
  HostPicture picture(width, height);
  for (int p = 0; p < 3; ++p) {
    for (std::uint16_t& sample : picture.planes[p]) {
      sample = static_cast<std::uint16_t>(p == 0 ? luma : chroma);
    }
  }
  return picture;
}

HostPicture noise_picture(int width, int height, bool extremes, unsigned seed) {
  HostPicture picture(width, height);
  std::mt19937 random(seed);
  for (auto& plane : picture.planes) {
    for (std::uint16_t& sample : plane) {
      const auto value = static_cast<std::uint16_t>(random() >> 7 & 1023);
      sample = extremes ? static_cast<std::uint16_t>(value < 512 ? 0 : 1023) : value;
    }
  }
  return picture;
}

HostPicture blocks_picture(int width, int height) {
  HostPicture picture(width, height);
  for (int p = 0; p < 3; ++p) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < picture.plane_width(p); ++x) {
        picture.planes[p][static_cast<std::size_t>(y * picture.plane_width(p) + x)] =
            static_cast<std::uint16_t>((x / 8 + y / 8 + p) % 2 == 0 ? 0 : 1023);
      }
    }
  }
  return picture;
}

Decoded decode_prores(std::span<const std::uint8_t> bytes, int width, int height) {
  const LogCapture log;
  Decoded decoded;
  const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_PRORES);
  const CodecPtr decoder(avcodec_alloc_context3(codec));
  decoder->width = width;
  decoder->height = height;
  decoder->codec_tag = MKTAG('a', 'p', 'c', 'h');
  decoder->thread_count = 1;  // so that the log is this thread's
  decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
  check_av(avcodec_open2(decoder.get(), codec, nullptr), ErrorCode::kInternal, "the decoder");
  const PacketPtr packet = make_packet();
  check_av(av_new_packet(packet.get(), static_cast<int>(bytes.size())),
           ErrorCode::kInternal,
           "a packet");
  std::memcpy(packet->data, bytes.data(), bytes.size());
  const FramePtr frame = make_frame();
  int result = avcodec_send_packet(decoder.get(), packet.get());
  if (result >= 0) result = avcodec_receive_frame(decoder.get(), frame.get());
  if (result < 0) decoded.errors = av_error_text(result);
  for (const std::string& line : log.lines()) decoded.errors += "; " + line;
  if (result < 0) return decoded;
  if (frame->decode_error_flags != 0) decoded.errors += "; decode_error_flags";
  if (frame->format != AV_PIX_FMT_YUV422P10) decoded.errors += "; not yuv422p10";
  if (frame->width != width || frame->height != height) decoded.errors += "; another size";
  if (!decoded.errors.empty()) return decoded;
  decoded.picture = picture_of(*frame);
  decoded.primaries = frame->color_primaries;
  decoded.transfer = frame->color_trc;
  decoded.matrix = frame->colorspace;
  return decoded;
}

std::vector<std::uint8_t> encode_prores_ks(const HostPicture& picture) {
  const AVCodec* codec = avcodec_find_encoder_by_name("prores_ks");
  if (codec == nullptr) return {};
  const CodecPtr encoder(avcodec_alloc_context3(codec));
  encoder->width = picture.width;
  encoder->height = picture.height;
  encoder->pix_fmt = AV_PIX_FMT_YUV422P10;
  encoder->time_base = {1, 25};
  encoder->thread_count = 1;
  Dictionary options;
  options.set("profile", "hq");
  check_av(avcodec_open2(encoder.get(), codec, options.slot()), ErrorCode::kInternal, "prores_ks");
  const FramePtr frame = frame_of(picture);
  frame->pts = 0;
  check_av(avcodec_send_frame(encoder.get(), frame.get()), ErrorCode::kInternal, "prores_ks");
  const PacketPtr packet = make_packet();
  check_av(avcodec_receive_packet(encoder.get(), packet.get()), ErrorCode::kInternal, "prores_ks");
  return {packet->data, packet->data + packet->size};
}

double psnr(const HostPicture& original, const HostPicture& decoded) {
  double squares = 0;
  double samples = 0;
  for (int p = 0; p < 3; ++p) {
    for (std::size_t i = 0; i < original.planes[p].size(); ++i) {
      const double difference =
          std::clamp<int>(original.planes[p][i], 4, 1019) - decoded.planes[p][i];
      squares += difference * difference;
    }
    samples += static_cast<double>(original.planes[p].size());
  }
  return squares == 0 ? 999 : 10 * std::log10(1023.0 * 1023.0 * samples / squares);
}

}  // namespace vsr::kernels::test
