#include "segment_muxer.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"

namespace vsr::media {

SegmentMuxer::SegmentMuxer(const std::filesystem::path& path,
                           MezzanineCodec codec,
                           const AVCodecParameters& parameters,
                           const Rational& rate,
                           const Rational& sample_aspect)
    : part_(part_name(path)), frame_(to_av(rate.inverse())) {
  const bool mov = mezzanine_extension(codec) == ".mov";
  AVFormatContext* opened = nullptr;
  const std::string url = "file:" + part_.string();
  check_av(avformat_alloc_output_context2(&opened, nullptr, mov ? "mov" : "matroska", url.c_str()),
           ErrorCode::kInternal,
           "making a muxer");
  muxer_.reset(opened);
  muxer_->flags |= AVFMT_FLAG_BITEXACT;  // no random ids and no version: same pictures, same bytes
  AVStream* stream = avformat_new_stream(muxer_.get(), nullptr);
  if (stream == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  check_av(avcodec_parameters_copy(stream->codecpar, &parameters),
           ErrorCode::kInternal,
           "setting up the muxer");
  stream->codecpar->sample_aspect_ratio = to_av(sample_aspect);
  stream->time_base = frame_;
  stream->avg_frame_rate = stream->r_frame_rate = to_av(rate);
  stream->sample_aspect_ratio = to_av(sample_aspect);
  check_av(avio_open(&muxer_->pb, url.c_str(), AVIO_FLAG_WRITE),
           ErrorCode::kStorage,
           part_.string() + ": cannot be created");
  Dictionary options;
  if (mov) {
    // Ticks that divide a picture exactly, in the track and in the edit list that holds the start.
    std::int64_t scale = rate.num();
    while (scale < 1000) scale *= 10;
    options.set("movflags", "write_colr");
    options.set("video_track_timescale", std::to_string(scale));
    options.set("movie_timescale", std::to_string(scale));
  }
  check_av(avformat_write_header(muxer_.get(), options.slot()),
           ErrorCode::kStorage,
           part_.string() + ": the header cannot be written");
}

void SegmentMuxer::write(AVPacket& packet) {
  const std::int64_t frame = packet.pts;
  packet.flags |= AV_PKT_FLAG_KEY;
  packet.stream_index = 0;
  packet.dts = packet.pts;
  packet.duration = 1;
  packet.pos = -1;
  av_packet_rescale_ts(&packet, frame_, muxer_->streams[0]->time_base);
  check_av(av_write_frame(muxer_.get(), &packet),
           ErrorCode::kStorage,
           format("{}: frame {}", part_.string(), frame));
  av_packet_unref(&packet);
}

void SegmentMuxer::finish() {
  check_av(av_write_trailer(muxer_.get()), ErrorCode::kStorage, part_.string());
  check_av(muxer_->pb->error, ErrorCode::kStorage, part_.string());
  check_av(avio_closep(&muxer_->pb), ErrorCode::kStorage, part_.string());
}

}  // namespace vsr::media
