#include "picture_decoder.hpp"

#include "mezzanine_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace vsr::media {

bool is_damaged(const AVFrame& frame) {
  return frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

PictureDecoder::PictureDecoder(const std::string& path,
                               int stream,
                               int threads,
                               Damage damage,
                               const DecodeDevice& device,
                               OpenBytes bytes)
    : path_(path),
      open_bytes_(std::move(bytes)),
      wanted_stream_(stream),
      threads_(threads > 0 ? threads : usable_cpus()),
      damage_(damage),
      nvdec_(device.nvdec ? std::make_unique<Nvdec>(path, device) : nullptr) {
  open();
}

void PictureDecoder::open() {
  codec_.reset();
  input_ = {};
  input_ = open_input(path_, Search::kQuick, open_bytes_);
  AVFormatContext& format_context = *input_.format;
  if (wanted_stream_ < 0) wanted_stream_ = film_stream(input_).index;
  stream_ = wanted_stream_;
  if (stream_ >= static_cast<int>(format_context.nb_streams) ||
      format_context.streams[stream_]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) {
    throw Error(
        ErrorCode::kInput,
        format("{}: stream {} is not the film any more: the file has changed", path_, stream_));
  }
  for (unsigned i = 0; i < format_context.nb_streams; ++i) {
    if (static_cast<int>(i) != stream_) format_context.streams[i]->discard = AVDISCARD_ALL;
  }
  av_packet_unref(packet_.get());
  held_ = false;
  used_ = false;
  draining_ = false;
  start_counting();
}

void PictureDecoder::start_counting() {
  gave_up_ = false;
  packets_ = 0;
  greatest_pts_ = AV_NOPTS_VALUE;
}

void PictureDecoder::open_codec() {
  const AVCodecParameters& parameters = *stream().codecpar;
  const AVCodec* decoder = nvdec_ ? &nvdec_decoder(path_, parameters.codec_id)
                                  : avcodec_find_decoder(parameters.codec_id);
  if (decoder == nullptr) {
    throw Error(
        ErrorCode::kInput,
        format(
            "{}: this FFmpeg has no decoder for {}", path_, avcodec_get_name(parameters.codec_id)));
  }
  codec_.reset(avcodec_alloc_context3(decoder));
  if (!codec_) throw Error(ErrorCode::kInternal, "out of memory");
  check_av(avcodec_parameters_to_context(codec_.get(), &parameters), ErrorCode::kInput, path_);
  codec_->pkt_timebase = stream().time_base;
  codec_->thread_count = std::clamp(threads_, 1, 16);  // libavcodec warns of more
  codec_->max_pixels = kMostPixels;
  if (damage_ == Damage::kRefuse) codec_->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
  if (nvdec_) nvdec_->attach(*codec_);
  LogCapture log;
  const int result = avcodec_open2(codec_.get(), decoder, nullptr);
  if (result < 0) {
    const std::string reason = log.text();
    throw Error(ErrorCode::kInput,
                format("{}: the {} decoder cannot be opened: {}",
                       path_,
                       decoder->name,
                       reason.empty() ? av_error_text(result) : reason));
  }
}

void PictureDecoder::rewind() {
  if (used_) open();
  if (codec_) avcodec_flush_buffers(codec_.get());
  draining_ = false;
}

AVPacket* PictureDecoder::read_packet() {
  used_ = true;
  while (true) {
    av_packet_unref(packet_.get());
    const int result = media::read_packet(input_, *packet_);
    if (result == AVERROR(ENOMEM)) throw Error(ErrorCode::kInternal, "out of memory");
    if (result < 0) {
      gave_up_ = result != AVERROR_EOF;
      check_size();
      return nullptr;
    }
    if (packet_->stream_index != stream_) continue;
    // A packet that is short may be the first that a cut has reached.
    if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0) check_size();
    ++packets_;
    // AV_NOPTS_VALUE is the least of all numbers.
    greatest_pts_ = std::max(greatest_pts_, packet_->pts);
    return packet_.get();
  }
}

// A file that is cut while it is read has an end like any other.
void PictureDecoder::check_size() const {
  // Elsewhere it is for the source to notice.
  if (input_.image_sequence || open_bytes_) return;
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path_, error);
  if (error || bytes >= input_.bytes) return;
  throw Error(ErrorCode::kInput,
              format("{}: has {} bytes, and had {} when it was opened: something cuts it off; put "
                     "the whole file back and start again",
                     path_,
                     bytes,
                     input_.bytes));
}

void PictureDecoder::refuse_damage(std::int64_t pts, std::string_view what) const {
  throw Error(ErrorCode::kInput,
              format("{}: damaged at {:.2f} s: {}",
                     path_,
                     static_cast<double>(pts) * av_q2d(stream().time_base),
                     what));
}

// Reads on until the wanted packet is held. With give_up_past, stops at a key packet behind it.
bool PictureDecoder::skip_to(std::int64_t wanted_pts, bool give_up_past) {
  while (const AVPacket* packet = read_packet()) {
    if ((packet->flags & AV_PKT_FLAG_KEY) == 0 || packet->pts == AV_NOPTS_VALUE) continue;
    if (packet->pts == wanted_pts) {
      held_ = true;
      return true;
    }
    if (give_up_past && packet->pts > wanted_pts) return false;
  }
  return false;
}

bool PictureDecoder::seek_to(std::int64_t target_pts, std::int64_t wanted_pts) {
  used_ = true;
  held_ = false;
  start_counting();
  if (av_seek_frame(input_.format.get(), stream_, target_pts, AVSEEK_FLAG_BACKWARD) < 0)
    return false;
  return skip_to(wanted_pts, true);
}

void PictureDecoder::enter(std::span<const std::int64_t> key_pts, std::int64_t at) {
  entered_slowly_ = false;
  if (codec_) avcodec_flush_buffers(codec_.get());
  draining_ = false;
  held_ = false;
  if (key_pts.empty() || at < 0) {
    rewind();
    return;
  }
  const std::int64_t wanted = key_pts[static_cast<std::size_t>(at)];
  // A container's index may lead past the wanted packet, since many go by the time of decoding;
  // then an earlier key packet is tried.
  for (std::int64_t back = 0; at - back >= 0 && back < 8; back = 2 * back + 1) {
    if (seek_to(key_pts[static_cast<std::size_t>(at - back)], wanted)) return;
  }
  if (used_) open();
  entered_slowly_ = true;
  if (!skip_to(wanted, false)) {
    throw Error(
        ErrorCode::kInput,
        format("{}: a key picture that was there when the film was planned cannot be found: the "
               "file has changed",
               path_));
  }
}

bool PictureDecoder::feed() {
  const bool end = !held_ && read_packet() == nullptr;
  held_ = false;
  const bool strict = damage_ == Damage::kRefuse;
  // FFmpeg's decoder fills slices that fail their checksum from the picture before, whatever it is
  // told, and does not say so.
  if (strict && !end &&
      !slices_are_whole({packet_->data, static_cast<std::size_t>(packet_->size)})) {
    refuse_damage(packet_->pts, "a checksum does not match");
  }
  std::optional<LogCapture> log;
  if (nvdec_) log.emplace();
  const int result = avcodec_send_packet(codec_.get(), end ? nullptr : packet_.get());
  if (nvdec_ && result < 0) nvdec_->check(log->text());
  if (result == AVERROR(ENOMEM)) throw Error(ErrorCode::kInternal, "out of memory");
  if (end) {
    draining_ = true;
  } else if (result < 0) {
    // A packet that does not decode; the next one may.
    if (strict) refuse_damage(packet_->pts, av_error_text(result));
  }
  return !end;
}

void PictureDecoder::check_whole(const AVFrame& frame) const {
  if (damage_ != Damage::kRefuse) return;
  if (is_damaged(frame)) refuse_damage(frame.pts, "the decoder calls the picture damaged");
}

int PictureDecoder::receive(AVFrame& frame) {
  std::optional<LogCapture> log;
  if (nvdec_) log.emplace();
  const int result = avcodec_receive_frame(codec_.get(), &frame);
  if (nvdec_ && result < 0) nvdec_->check(log->text());
  return result;
}

FramePtr PictureDecoder::next() {
  if (!codec_) open_codec();
  FramePtr frame = make_frame();
  for (int failures_at_end = 0; failures_at_end < 1000;) {
    const int result = receive(*frame);
    if (result >= 0) {
      if (nvdec_) frame = nvdec_->picture(std::move(frame), *codec_);
      if (frame->pts == AV_NOPTS_VALUE) frame->pts = frame->best_effort_timestamp;
      check_whole(*frame);
      return frame;
    }
    if (result == AVERROR_EOF) return nullptr;
    if (result == AVERROR(ENOMEM)) throw Error(ErrorCode::kInternal, "out of memory");
    if (result == AVERROR(EAGAIN)) {
      if (draining_) return nullptr;
      feed();
    } else {
      // A picture that does not decode; the next one may.
      if (damage_ == Damage::kRefuse) refuse_damage(packet_->pts, av_error_text(result));
      if (draining_) ++failures_at_end;
    }
  }
  return nullptr;
}

}  // namespace vsr::media
