#include "output_file.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

namespace vsr::assemble {

namespace {

constexpr AVRational kNanosecond{1, 1'000'000'000};

}  // namespace

OutputFile::OutputFile(std::filesystem::path path, const char* container) : path_(std::move(path)) {
  AVFormatContext* opened = nullptr;
  const std::string part = part_name(path_).string();
  const std::string url = "file:" + part;
  media::check_av(avformat_alloc_output_context2(&opened, nullptr, container, url.c_str()),
                  ErrorCode::kInternal,
                  "making a muxer");
  muxer_.reset(opened);
  // No random ids and no version of the muxer: the same job makes the same bytes.
  muxer_->flags |= AVFMT_FLAG_BITEXACT;
  // The picture starts at 0; sound that starts a packet before it shall not move it.
  muxer_->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
  media::check_av(avio_open(&muxer_->pb, url.c_str(), AVIO_FLAG_WRITE),
                  ErrorCode::kStorage,
                  part + ": cannot be created");
}

OutputFile::~OutputFile() {
  if (published_) return;
  muxer_.reset();
  std::error_code ignored;
  std::filesystem::remove(part_name(path_), ignored);
}

AVStream& OutputFile::add_stream() {
  AVStream* stream = avformat_new_stream(muxer_.get(), nullptr);
  if (stream == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  last_dts_.push_back(AV_NOPTS_VALUE);
  return *stream;
}

bool OutputFile::can_hold(AVCodecID codec) {
  const AVOutputFormat* matroska = av_guess_format("matroska", nullptr, nullptr);
  return matroska != nullptr && avformat_query_codec(matroska, codec, FF_COMPLIANCE_NORMAL) == 1;
}

void OutputFile::write_header() {
  media::check_av(avformat_write_header(muxer_.get(), nullptr),
                  ErrorCode::kStorage,
                  part_name(path_).string() + ": the header cannot be written");
}

void OutputFile::add(media::PacketPtr packet, int stream, AVRational time_base) {
  packet->stream_index = stream;
  packet->pos = -1;
  if (packet->dts == AV_NOPTS_VALUE) packet->dts = packet->pts;
  const std::int64_t key = av_rescale_q(packet->dts, time_base, kNanosecond);
  av_packet_rescale_ts(packet.get(), time_base, muxer_->streams[stream]->time_base);
  waiting_.emplace(key, std::move(packet));
}

void OutputFile::write_until(std::int64_t time_ns) {
  while (!waiting_.empty() && waiting_.begin()->first < time_ns) {
    const media::PacketPtr packet = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    write(*packet);
  }
}

void OutputFile::write(AVPacket& packet) {
  // A source with times out of order must not end the film.
  std::int64_t& last = last_dts_[static_cast<std::size_t>(packet.stream_index)];
  if (last != AV_NOPTS_VALUE) packet.dts = std::max(packet.dts, last);
  packet.pts = std::max(packet.pts, packet.dts);
  last = packet.dts;
  media::check_av(av_write_frame(muxer_.get(), &packet),
                  ErrorCode::kStorage,
                  part_name(path_).string() + ": cannot be written");
}

void OutputFile::finish() {
  write_until(std::numeric_limits<std::int64_t>::max());
  const std::string part = part_name(path_).string();
  media::check_av(av_write_trailer(muxer_.get()), ErrorCode::kStorage, part);
  media::check_av(muxer_->pb->error, ErrorCode::kStorage, part);
  media::check_av(avio_closep(&muxer_->pb), ErrorCode::kStorage, part);
  publish(path_);
  published_ = true;
}

}  // namespace vsr::assemble
