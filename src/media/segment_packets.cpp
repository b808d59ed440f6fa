#include "segment_packets.hpp"

#include "byte_io.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/number.hpp"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

extern "C" {
#include <libavutil/crc.h>
}

namespace vsr::media {

namespace {

// No picture of ours is larger: 16384 x 16384 in 16-bit RGB.
constexpr std::uint64_t kMostPictureBytes = 1ull << 31;

std::optional<std::int64_t> png_number(const std::filesystem::path& file) {
  if (file.extension() != ".png") return std::nullopt;
  return parse_number<std::int64_t>(file.stem().string());
}

}  // namespace

std::uint32_t packet_checksum(std::span<const std::uint8_t> bytes) {
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE_LE);
  return ~av_crc(table, ~0u, bytes.data(), bytes.size());
}

std::string png_name(std::int64_t frame) { return format("{:08}.png", frame); }

SegmentPackets::SegmentPackets(std::filesystem::path path,
                               MezzanineCodec codec,
                               std::int64_t first,
                               std::int64_t count,
                               std::vector<std::uint32_t> checksums,
                               OpenBytes open)
    : path_(std::move(path)),
      codec_(codec),
      position_(0),
      end_(first + count),
      checksums_(std::move(checksums)),
      parameters_(avcodec_parameters_alloc()) {
  if (!parameters_) throw Error(ErrorCode::kInternal, "out of memory");
  if (!checksums_.empty() && std::cmp_less(checksums_.size(), end_)) {
    fail(end_ - 1, format("its record has only {} checksums", checksums_.size()));
  }
  if (codec == MezzanineCodec::kPng) {
    open_folder();
    position_ = first;
    return;
  }
  open_container(open);
  const PacketPtr skipped = make_packet();
  for (; position_ < first; ++position_) read_container(*skipped);
}

bool SegmentPackets::read(AVPacket& packet) {
  if (position_ >= end_) return false;
  av_packet_unref(&packet);
  if (input_) {
    read_container(packet);
  } else {
    read_file_of_folder(packet);
  }
  if (!checksums_.empty()) {
    const std::uint32_t recorded = checksums_[static_cast<std::size_t>(position_)];
    const std::uint32_t found =
        packet_checksum({packet.data, static_cast<std::size_t>(packet.size)});
    if (found != recorded) {
      fail(position_, format("checksum {:08x} instead of the recorded {:08x}", found, recorded));
    }
  }
  if (codec_ == MezzanineCodec::kNone) {
    if (position_ == 0) first_pts_ = packet.pts;
    packet.pts -= first_pts_;
    times_.push_back(packet.pts);
    if (position_ + 1 == end_) check_times();
  } else {
    packet.pts = position_;
  }
  packet.dts = position_;
  packet.duration = 1;
  packet.stream_index = 0;
  ++position_;
  return true;
}

// Damage to a time leaves the packet's checksum as it was, and would show a picture in another's
// place: those of a whole chunk are one step apart.
void SegmentPackets::check_times() {
  std::sort(times_.begin(), times_.end());
  const std::int64_t step = times_.size() > 1 ? times_[1] : 1;
  for (std::size_t i = 0; i < times_.size(); ++i) {
    const auto position = static_cast<std::int64_t>(i);
    if (step <= 0 || times_[i] != position * step) fail(position, "no packet has its time");
  }
}

void SegmentPackets::open_container(const OpenBytes& open) {
  const std::string extension = mezzanine_extension(codec_);
  const AVInputFormat* demuxer = av_find_input_format(extension == ".mkv"   ? "matroska"
                                                      : extension == ".nut" ? "nut"
                                                                            : "mov");
  // "file:" keeps a colon in the name from being read as a protocol.
  check_av(open_bytes(input_, nullptr, "file:" + path_.string(), demuxer, nullptr, open),
           ErrorCode::kStorage,
           path_.string() + ": the segment cannot be opened");
  for (unsigned i = 0; i < input_->nb_streams; ++i) {
    if (input_->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO) {
      stream_ = static_cast<int>(i);
      break;
    }
  }
  if (stream_ < 0) {
    throw Error(ErrorCode::kStorage, format("{}: the segment holds no picture", path_.string()));
  }
  check_av(avcodec_parameters_copy(parameters_.get(), input_->streams[stream_]->codecpar),
           ErrorCode::kInternal,
           "copying stream parameters");
}

void SegmentPackets::open_folder() {
  parameters_->codec_type = AVMEDIA_TYPE_VIDEO;
  parameters_->codec_id = AV_CODEC_ID_PNG;
  std::vector<std::pair<std::int64_t, std::filesystem::path>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    if (const auto number = png_number(entry.path())) found.emplace_back(*number, entry.path());
  }
  if (error) {
    throw Error(ErrorCode::kStorage,
                format("{}: the segment cannot be opened: {}", path_.string(), error.message()));
  }
  std::sort(found.begin(), found.end());
  for (const auto& [number, file] : found) {
    const auto position = static_cast<std::int64_t>(files_.size());
    if (number != found.front().first + position) fail(position, "the picture is missing");
    files_.push_back(file);
  }
}

void SegmentPackets::read_container(AVPacket& packet) {
  while (true) {
    av_packet_unref(&packet);  // av_read_frame() would lose what it still holds
    const int result = av_read_frame(input_.get(), &packet);
    rethrow_failure(*input_);
    if (result == AVERROR_EOF) fail(position_, "the picture is missing");
    if (result < 0) fail(position_, av_error_text(result));
    if (packet.stream_index == stream_) return;
  }
}

void SegmentPackets::read_file_of_folder(AVPacket& packet) {
  const auto index = static_cast<std::size_t>(position_);
  if (index >= files_.size()) fail(position_, "the picture is missing");
  const std::string bytes = read_file(files_[index], kMostPictureBytes);
  check_av(av_new_packet(&packet, static_cast<int>(bytes.size())),
           ErrorCode::kInternal,
           "allocating a packet");
  std::memcpy(packet.data, bytes.data(), bytes.size());
  packet.flags |= AV_PKT_FLAG_KEY;
}

void SegmentPackets::fail(std::int64_t position, const std::string& what) const {
  throw Error(
      ErrorCode::kStorage,
      format("{}: picture {} of the segment is damaged ({})", path_.string(), position, what));
}

SegmentFrames::SegmentFrames(std::filesystem::path path,
                             MezzanineCodec codec,
                             std::int64_t first,
                             std::int64_t count,
                             std::vector<std::uint32_t> checksums,
                             int threads,
                             OpenBytes open)
    : packets_(std::move(path), codec, first, count, std::move(checksums), std::move(open)),
      first_(first),
      count_(count),
      packet_(make_packet()) {
  const AVCodec* decoder = avcodec_find_decoder(packets_.parameters().codec_id);
  if (decoder == nullptr) {
    throw Error(
        ErrorCode::kInternal,
        format("this FFmpeg cannot decode {}", avcodec_get_name(packets_.parameters().codec_id)));
  }
  decoder_.reset(avcodec_alloc_context3(decoder));
  if (!decoder_) throw Error(ErrorCode::kInternal, "out of memory");
  check_av(avcodec_parameters_to_context(decoder_.get(), &packets_.parameters()),
           ErrorCode::kInternal,
           "setting up the decoder");
  decoder_->thread_count = threads > 0 ? threads : usable_cpus();
  // A damaged picture should be an error, not a guess; where a decoder guesses all the same, the
  // checksums have found the damage before.
  decoder_->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
  check_av(avcodec_open2(decoder_.get(), decoder, nullptr),
           ErrorCode::kInternal,
           packets_.path().string() + ": opening the decoder");
}

bool SegmentFrames::read(AVFrame& frame) {
  const std::string place = packets_.path().string();
  while (true) {
    const int result = avcodec_receive_frame(decoder_.get(), &frame);
    if (result == AVERROR_EOF) {
      if (given_ != count_) {
        throw Error(ErrorCode::kStorage,
                    format("{}: {} of {} pictures could be decoded; remove the segment and start "
                           "again, it will be made anew",
                           place,
                           given_,
                           count_));
      }
      return false;
    }
    if (result >= 0) {
      ++given_;
      return true;
    }
    if (result != AVERROR(EAGAIN)) {
      check_av(result,
               ErrorCode::kStorage,
               format("{}: picture {} of the segment cannot be decoded; remove the segment and "
                      "start again, it will be made anew",
                      place,
                      first_ + given_));
    }
    const bool more = !drained_ && packets_.read(*packet_);
    drained_ = !more;
    check_av(avcodec_send_packet(decoder_.get(), more ? packet_.get() : nullptr),
             ErrorCode::kStorage,
             format("{}: picture {} of the segment cannot be decoded; remove the segment and "
                    "start again, it will be made anew",
                    place,
                    first_ + given_));
  }
}

}  // namespace vsr::media
