#include "scan.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace vsr::media {

namespace {

constexpr double kJump_s = 10;  // longer than any gap that a recording bridges
constexpr std::int64_t kMostPts = std::int64_t{1} << 60;  // so that differences never overflow

struct ScannedPacket {
  std::int64_t pts;
  bool key;
};

// Sizes by the codec's own parser: the container knows only the first one.
class SizeWatch {
 public:
  explicit SizeWatch(const AVStream& stream)
      : parser_(av_parser_init(stream.codecpar->codec_id)),
        codec_(avcodec_alloc_context3(nullptr)) {
    if (!parser_ || !codec_ || avcodec_parameters_to_context(codec_.get(), stream.codecpar) < 0) {
      parser_.reset();
      return;
    }
    parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  }

  void look(const AVPacket& packet, std::int64_t number, SourceScan& scan) {
    if (!parser_ || scan.other_width != 0) return;
    std::uint8_t* out = nullptr;
    int out_size = 0;
    av_parser_parse2(parser_.get(),
                     codec_.get(),
                     &out,
                     &out_size,
                     packet.data,
                     packet.size,
                     packet.pts,
                     packet.dts,
                     packet.pos);
    if (parser_->width <= 0 || parser_->height <= 0) return;
    if (width_ == 0) {
      width_ = parser_->width;
      height_ = parser_->height;
    } else if (parser_->width != width_ || parser_->height != height_) {
      scan.other_width = parser_->width;
      scan.other_height = parser_->height;
      scan.other_at = number;
    }
  }

 private:
  AvPtr<AVCodecParserContext> parser_;
  CodecPtr codec_;
  int width_ = 0;
  int height_ = 0;
};

// VP8 sends pictures that are only for prediction as packets of their own.
bool is_hidden(const AVPacket& packet, AVCodecID codec) {
  constexpr int kShowFrame = 0x10;
  return codec == AV_CODEC_ID_VP8 && packet.size > 0 && (packet.data[0] & kShowFrame) == 0;
}

// "1:02:03.4" of Matroska's statistics tags, or nothing.
std::optional<double> tagged_duration(const AVStream& stream) {
  const AVDictionaryEntry* entry =
      av_dict_get(stream.metadata, "DURATION", nullptr, AV_DICT_IGNORE_SUFFIX);
  if (entry == nullptr) return std::nullopt;
  double seconds = 0;
  const char* at = entry->value;
  for (int part = 0; part < 3; ++part) {
    char* end = nullptr;
    const double value = std::strtod(at, &end);
    if (end == at || value < 0) return std::nullopt;
    seconds = seconds * 60 + value;
    if (part < 2 && *end != ':') return std::nullopt;
    at = end + 1;
  }
  return seconds;
}

// How much later than `end_s` (counted from the film's first picture) the film should end.
double promised_beyond(const PictureDecoder& decoder, double end_s, bool ended_early) {
  constexpr double kNoise_s = 0.5;  // durations are rounded, and sound may outlast the picture
  const AVFormatContext& container = *decoder.input().format;
  const AVStream& stream = decoder.stream();
  if (container.duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) return 0;
  double promised_s = 0;
  if (const auto tagged = tagged_duration(stream)) {
    promised_s = *tagged;
  } else if (stream.duration != AV_NOPTS_VALUE && stream.duration > 0 &&
             container.duration_estimation_method == AVFMT_DURATION_FROM_STREAM) {
    promised_s = static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  }
  if (promised_s == 0 && ended_early && container.duration > 0) {
    promised_s = static_cast<double>(container.duration) / AV_TIME_BASE;
  }
  return promised_s > end_s + kNoise_s ? promised_s - end_s : 0;
}

}  // namespace

void heed(const Progress& progress, std::int64_t pictures) {
  if (progress && !progress(pictures)) {
    throw Error(ErrorCode::kInterrupted, "stopped while the film was looked through");
  }
}

SourceScan scan_source(PictureDecoder& decoder, const Progress& progress) {
  SourceScan scan;
  decoder.rewind();
  const AVStream& stream = decoder.stream();
  const bool may_jump = (decoder.input().format->iformat->flags & AVFMT_TS_DISCONT) != 0;
  const double tick_s = av_q2d(stream.time_base);
  SizeWatch sizes(stream);
  std::vector<ScannedPacket> packets;
  std::int64_t without_time = 0;
  std::int64_t jumps = 0;
  std::int64_t first_dts = AV_NOPTS_VALUE;
  std::int64_t last_dts = AV_NOPTS_VALUE;
  LogCapture log;
  while (const AVPacket* packet = decoder.read_packet()) {
    heed(progress, scan.pictures);
    if (packet->size == 0) continue;
    if ((packet->flags & AV_PKT_FLAG_KEY) != 0) sizes.look(*packet, scan.pictures, scan);
    if (packet->dts != AV_NOPTS_VALUE) {
      if (first_dts == AV_NOPTS_VALUE) first_dts = packet->dts;
      if (last_dts != AV_NOPTS_VALUE &&
          (packet->dts < last_dts ||
           (may_jump && static_cast<double>(packet->dts - last_dts) * tick_s > kJump_s))) {
        ++jumps;
      }
      last_dts = packet->dts;
    }
    // Outside the edit list: decoded, but not shown.
    if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0 ||
        is_hidden(*packet, stream.codecpar->codec_id)) {
      continue;
    }
    ++scan.pictures;
    if (packet->pts == AV_NOPTS_VALUE || packet->pts > kMostPts || packet->pts < -kMostPts) {
      ++without_time;
      continue;
    }
    packets.push_back({packet->pts, (packet->flags & AV_PKT_FLAG_KEY) != 0});
    const bool short_enough = static_cast<double>(packet->duration) * tick_s < kJump_s;
    scan.last_duration = short_enough ? packet->duration : 0;
  }
  if (scan.pictures == 0) {
    throw Error(ErrorCode::kInput,
                format("{}: the video stream holds no pictures", decoder.input().path));
  }

  std::sort(packets.begin(), packets.end(), [](const ScannedPacket& a, const ScannedPacket& b) {
    return a.pts < b.pts;
  });
  std::int64_t doubled = 0;
  for (std::size_t i = 1; i < packets.size(); ++i) doubled += packets[i].pts == packets[i - 1].pts;
  if (without_time > 0) {
    scan.broken = format("{} of {} pictures carry no time", without_time, scan.pictures);
  } else if (jumps > 0) {
    scan.broken = format("the clock of the video stream jumps {} times", jumps);
  } else if (doubled > 0) {
    scan.broken = format("{} pictures share their time with another", doubled);
  }
  if (!scan.broken.empty()) return scan;

  for (const ScannedPacket& packet : packets) {
    if (packet.key) scan.keys.push_back(static_cast<std::int64_t>(scan.pts.size()));
    scan.pts.push_back(packet.pts);
  }
  if (is_avi(*decoder.input().format->iformat) && first_dts != AV_NOPTS_VALUE)
    scan.late = scan.pts.front() - first_dts;
  const bool premature =
      decoder.gave_up() ||
      std::any_of(log.lines().begin(), log.lines().end(), [](const std::string& line) {
        return line.find("prematurely") != std::string::npos;
      });
  const double end_s =
      static_cast<double>(scan.pts.back() + scan.last_duration - scan.pts.front()) * tick_s;
  scan.missing_s = promised_beyond(decoder, end_s, premature);
  return scan;
}

}  // namespace vsr::media
