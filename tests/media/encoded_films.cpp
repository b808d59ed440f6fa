#include "encoded_films.hpp"

#include "media/av.hpp"
#include "test_support.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vsr::test {

namespace {

using namespace media;

// All pictures of the shipped clip, as FFmpeg's frames.
std::vector<FramePtr> clip_frames(const EncodedFilm& film) {
  TimelineOptions options;
  options.filters = vsr::format("scale={}:{}:flags=lanczos,format={}",
                                320 * film.scale,
                                180 * film.scale,
                                film.bit_depth == 8 ? "yuv420p" : "yuv420p10le");
  const Timeline timeline =
      plan_timeline(probe(source_dir() / "tests/data/reds_demo_000.mkv"), options).timeline;
  FrameReader reader(timeline, 0);
  std::vector<FramePtr> frames;
  PictureView picture;
  while (reader.read(picture)) {
    frames.push_back(allocate_frame(picture.format));
    copy_picture(picture, mutable_view_of(*frames.back()));
  }
  return frames;
}

// Rows first, first + step, ... of the window that is seen at a moment.
void copy_window(const std::vector<FramePtr>& clip, int moment, int first, int step, AVFrame& to) {
  const PictureView from = view_of(*clip[static_cast<std::size_t>(moment) % clip.size()]);
  const MutablePictureView out = mutable_view_of(to);
  const int room_x = (from.format.width - out.format.width) / 2;
  const int room_y = (from.format.height - out.format.height) / 2;
  const int x = 2 * (moment * 7 % (room_x + 1));
  const int y = 2 * (moment * 5 % (room_y + 1));
  const int bytes = bytes_per_sample(from.format);
  for (int plane = 0; plane < plane_count(from.format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    const int part = plane == 0 ? 1 : 2;
    for (int row = first; row < plane_height(out.format, plane); row += step) {
      std::memcpy(out.planes[i] + row * out.pitch_bytes[i],
                  from.planes[i] + (row + y / part) * from.pitch_bytes[i] + x / part * bytes,
                  static_cast<std::size_t>(plane_width(out.format, plane) * bytes));
    }
  }
}

CodecPtr open_encoder(const EncodedFilm& film, bool global_header) {
  const AVCodec* found = avcodec_find_encoder_by_name(film.encoder);
  if (found == nullptr) throw Error(ErrorCode::kUsage, std::string("no encoder ") + film.encoder);
  CodecPtr encoder(avcodec_alloc_context3(found));
  encoder->width = film.width;
  encoder->height = film.height;
  encoder->pix_fmt = film.bit_depth == 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE;
  encoder->time_base = {1, 25};
  encoder->framerate = {25, 1};
  encoder->thread_count = 1;
  if (film.interlaced) encoder->flags |= AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME;
  if (global_header) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  Dictionary options;
  for (const auto& [key, value] : film.options) options.set(key, value);
  const LogCapture log;
  const int result = avcodec_open2(encoder.get(), found, options.slot());
  check_av(result, ErrorCode::kUsage, vsr::format("opening {}: {}", film.encoder, log.text()));
  return encoder;
}

}  // namespace

bool have_encoder(const std::string& name) {
  return avcodec_find_encoder_by_name(name.c_str()) != nullptr;
}

void encode_film(const std::filesystem::path& path, const EncodedFilm& film) {
  const std::vector<FramePtr> clip = clip_frames(film);
  AVFormatContext* opened = nullptr;
  check_av(avformat_alloc_output_context2(&opened, nullptr, nullptr, path.c_str()),
           ErrorCode::kUsage,
           "making a muxer");
  const OutputPtr muxer(opened);
  const CodecPtr encoder = open_encoder(film, (muxer->oformat->flags & AVFMT_GLOBALHEADER) != 0);
  AVStream* stream = avformat_new_stream(muxer.get(), nullptr);
  check_av(avcodec_parameters_from_context(stream->codecpar, encoder.get()),
           ErrorCode::kInternal,
           "stream");
  stream->time_base = encoder->time_base;
  stream->avg_frame_rate = encoder->framerate;
  check_av(avio_open(&muxer->pb, path.c_str(), AVIO_FLAG_WRITE),
           ErrorCode::kStorage,
           path.string() + ": cannot be created");
  check_av(avformat_write_header(muxer.get(), nullptr), ErrorCode::kStorage, "header");
  const PacketPtr packet = make_packet();
  const auto send = [&](const AVFrame* frame) {
    check_av(avcodec_send_frame(encoder.get(), frame), ErrorCode::kInternal, "encoding");
    while (true) {
      const int result = avcodec_receive_packet(encoder.get(), packet.get());
      if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
      check_av(result, ErrorCode::kInternal, "encoding");
      packet->stream_index = 0;
      if (packet->duration == 0) packet->duration = 1;
      av_packet_rescale_ts(packet.get(), encoder->time_base, stream->time_base);
      check_av(
          av_interleaved_write_frame(muxer.get(), packet.get()), ErrorCode::kStorage, "writing");
    }
  };
  PictureFormat format = view_of(*clip.front()).format;
  format.width = film.width;
  format.height = film.height;
  for (int i = 0; i < film.frames; ++i) {
    const FramePtr frame = allocate_frame(format);
    if (film.interlaced) {
      copy_window(clip, 2 * i, 0, 2, *frame);
      copy_window(clip, 2 * i + 1, 1, 2, *frame);
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
      frame->flags |= AV_FRAME_FLAG_INTERLACED | AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
      frame->interlaced_frame = 1;
      frame->top_field_first = 1;
#endif
    } else {
      copy_window(clip, i, 0, 1, *frame);
    }
    frame->pts = i;
    send(frame.get());
  }
  send(nullptr);
  check_av(av_write_trailer(muxer.get()), ErrorCode::kStorage, "trailer");
}

}  // namespace vsr::test
