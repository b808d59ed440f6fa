#include "mezzanine_file.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"

#include <algorithm>
#include <cstddef>

extern "C" {
#include <libavutil/crc.h>
}

namespace vsr::media {

namespace {

// FFV1 knows 8-bit RGB only as B, G, R and an unused byte.
AVPixelFormat stored_format(const PictureFormat& format) {
  const AVPixelFormat pixels = av_pixel_format(format);
  return pixels == AV_PIX_FMT_GBRP ? AV_PIX_FMT_BGR0 : pixels;
}

FramePtr pack_bgr0(const AVFrame& planar) {
  FramePtr packed = make_frame();
  packed->format = AV_PIX_FMT_BGR0;
  packed->width = planar.width;
  packed->height = planar.height;
  check_av(av_frame_get_buffer(packed.get(), 0), ErrorCode::kInternal, "allocating a picture");
  const PictureView from = view_of(planar);
  for (int y = 0; y < planar.height; ++y) {
    std::uint8_t* to = packed->data[0] + static_cast<std::ptrdiff_t>(y) * packed->linesize[0];
    for (int x = 0; x < planar.width; ++x, to += 4) {
      for (std::size_t c = 0; c < 3; ++c) {
        to[2 - c] = static_cast<std::uint8_t>(from.planes[c][y * from.pitch_bytes[c] + x]);
      }
      to[3] = 255;
    }
  }
  return packed;
}

const char* slices_for(const PictureFormat& format) {
  const int side = std::min(format.width, format.height);
  if (side >= 64) return "16";
  return side >= 8 ? "4" : "1";
}

}  // namespace

// Each slice ends in its length (3 bytes, without what follows the length), a byte for errors met
// when it was made, and a CRC-32 that makes the CRC-32 of the whole slice 0.
bool slices_are_whole(std::span<const std::uint8_t> packet) {
  constexpr std::size_t kTail = 8;
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE);
  if (packet.empty()) return false;
  while (!packet.empty()) {
    if (packet.size() < kTail) return false;
    const std::uint8_t* tail = packet.data() + packet.size() - kTail;
    const std::size_t length = static_cast<std::size_t>(tail[0]) << 16 |
                               static_cast<std::size_t>(tail[1]) << 8 |
                               static_cast<std::size_t>(tail[2]);
    const std::size_t slice = length + kTail;
    // Zeros, which a lost block of a disk reads as, have a right checksum.
    if (length == 0 || slice > packet.size()) return false;
    if (av_crc(table, 0, packet.data() + packet.size() - slice, slice) != 0) return false;
    packet = packet.first(packet.size() - slice);
  }
  return true;
}

MezzanineFile::MezzanineFile(const std::filesystem::path& path,
                             const PictureFormat& format,
                             const ColourDescription& colour,
                             const Rational& rate,
                             const Rational& sample_aspect,
                             int threads)
    : path_(part_name(path)), format_(format), colour_(colour) {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_FFV1);
  if (codec == nullptr) throw Error(ErrorCode::kInput, "this FFmpeg has no FFV1 encoder");
  const std::vector<AVPixelFormat> known = encoder_pixel_formats(*codec);
  const AVPixelFormat stored = stored_format(format);
  if (std::find(known.begin(), known.end(), stored) == known.end()) {
    throw Error(
        ErrorCode::kInput,
        vsr::format("an FFV1 mezzanine does not hold {} pictures; let preprocess.filters end "
                    "in format=yuv444p16 or the like",
                    to_string(format)));
  }
  encoder_.reset(avcodec_alloc_context3(codec));
  if (!encoder_) throw Error(ErrorCode::kInternal, "out of memory");
  encoder_->width = format.width;
  encoder_->height = format.height;
  encoder_->pix_fmt = stored;
  encoder_->time_base = to_av(rate.inverse());
  encoder_->framerate = to_av(rate);
  encoder_->sample_aspect_ratio = to_av(sample_aspect);
  encoder_->gop_size = 1;
  encoder_->level = 3;
  encoder_->thread_count = std::clamp(threads > 0 ? threads : usable_cpus(), 1, 16);
  encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  tag_colour(*encoder_, colour, format);
  Dictionary options;
  options.set("slices", slices_for(format));
  options.set("slicecrc", "1");
  LogCapture log;
  check_av(avcodec_open2(encoder_.get(), codec, options.slot()),
           ErrorCode::kInput,
           vsr::format("FFV1 mezzanine of {} ({})", to_string(format), log.text()));

  AVFormatContext* raw = nullptr;
  check_av(avformat_alloc_output_context2(&raw, nullptr, "matroska", nullptr),
           ErrorCode::kInternal,
           "Matroska");
  output_.reset(raw);
  // No random ids and no version: the same pictures make the same file again.
  raw->flags |= AVFMT_FLAG_BITEXACT;
  AVStream* stream = avformat_new_stream(raw, nullptr);
  if (stream == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  check_av(avcodec_parameters_from_context(stream->codecpar, encoder_.get()),
           ErrorCode::kInternal,
           "Matroska");
  stream->time_base = encoder_->time_base;
  stream->avg_frame_rate = encoder_->framerate;
  stream->sample_aspect_ratio = encoder_->sample_aspect_ratio;
  const std::string url = "file:" + path_.string();
  check_av(avio_open(&raw->pb, url.c_str(), AVIO_FLAG_WRITE), ErrorCode::kStorage, path_.string());
  check_av(avformat_write_header(raw, nullptr), ErrorCode::kStorage, path_.string());
}

void MezzanineFile::write(const AVFrame& picture) {
  FramePtr frame = encoder_->pix_fmt == AV_PIX_FMT_BGR0 ? pack_bgr0(picture) : make_frame();
  if (encoder_->pix_fmt != AV_PIX_FMT_BGR0) {
    check_av(av_frame_ref(frame.get(), &picture), ErrorCode::kInternal, "out of memory");
    frame->format = encoder_->pix_fmt;  // the yuvj twin has the same samples
  }
  frame->pts = pictures_++;
  frame->pict_type = AV_PICTURE_TYPE_NONE;
  tag_colour(*frame, colour_, format_);
  const int result = avcodec_send_frame(encoder_.get(), frame.get());
  check_av(result, ErrorCode::kInternal, vsr::format("{}: encoding", path_.string()));
  drain();
}

void MezzanineFile::drain() {
  while (true) {
    const int result = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
    check_av(result, ErrorCode::kInternal, vsr::format("{}: encoding", path_.string()));
    packet_->stream_index = 0;
    packet_->duration = 1;
    av_packet_rescale_ts(packet_.get(), encoder_->time_base, output_->streams[0]->time_base);
    check_av(av_interleaved_write_frame(output_.get(), packet_.get()),
             ErrorCode::kStorage,
             path_.string());
  }
}

void MezzanineFile::finish() {
  check_av(avcodec_send_frame(encoder_.get(), nullptr), ErrorCode::kInternal, path_.string());
  drain();
  check_av(av_write_trailer(output_.get()), ErrorCode::kStorage, path_.string());
  check_av(avio_closep(&output_->pb), ErrorCode::kStorage, path_.string());
}

}  // namespace vsr::media
