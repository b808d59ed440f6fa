#include "av.hpp"

#include "byte_io.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <utility>

namespace vsr::media {

namespace {

thread_local LogCapture* t_capture = nullptr;

// FFmpeg logs parts of lines; a line is passed on when it ends.
void route_line(void* object, int level, const char* pattern, va_list arguments) {
  if (level > AV_LOG_DEBUG) return;
  const bool matters = level <= AV_LOG_WARNING;
  const log::Level to = matters ? log::Level::kDebug : log::Level::kTrace;
  if (!(matters && t_capture != nullptr) && !log::enabled(to)) return;
  static thread_local int prefix = 1;
  static thread_local std::string line;
  std::array<char, 1024> text{};
  av_log_format_line2(
      object, level, pattern, arguments, text.data(), static_cast<int>(text.size()), &prefix);
  line += text.data();
  if (line.empty() || (line.back() != '\n' && line.back() != '\r' && line.size() < 4096)) return;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (!line.empty()) {
    log::write(to, "ffmpeg", line);
    if (matters && t_capture != nullptr) t_capture->add(line);
  }
  line.clear();
}

void route_line_or_drop(void* object, int level, const char* pattern, va_list arguments) {
  try {
    route_line(object, level, pattern, arguments);
  } catch (...) {  // called from C: out of memory for a log line is no reason to end
  }
}

[[maybe_unused]] const bool kLogRouted = [] {
  av_log_set_callback(route_line_or_drop);
  return true;
}();

}  // namespace

void CloseInput::operator()(AVFormatContext* input) const {
  // The context does not own bytes that somebody else has opened.
  const ByteIoPtr io((input->flags & AVFMT_FLAG_CUSTOM_IO) != 0 ? input->pb : nullptr);
  avformat_close_input(&input);
}

void CloseOutput::operator()(AVFormatContext* output) const {
  if (output->pb != nullptr && output->oformat != nullptr &&
      (output->oformat->flags & AVFMT_NOFILE) == 0 && (output->flags & AVFMT_FLAG_CUSTOM_IO) == 0) {
    avio_closep(&output->pb);
  }
  avformat_free_context(output);
}

void Dictionary::set(const std::string& key, const std::string& value) {
  check_av(av_dict_set(&entries_, key.c_str(), value.c_str(), 0), ErrorCode::kInternal, key);
}

std::string Dictionary::first_key() const {
  const AVDictionaryEntry* entry = av_dict_get(entries_, "", nullptr, AV_DICT_IGNORE_SUFFIX);
  return entry == nullptr ? std::string() : std::string(entry->key);
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (!packet) throw Error(ErrorCode::kInternal, "out of memory");
  return packet;
}

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw Error(ErrorCode::kInternal, "out of memory");
  return frame;
}

std::string av_error_text(int result) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(result, text.data(), text.size());
  return text.data();
}

int check_av(int result, ErrorCode code, std::string_view what) {
  if (result >= 0) return result;
  const std::string text = format("{}: {}", what, av_error_text(result));
  if (means_disk_full(AVUNERROR(result))) throw DiskFull(text);
  throw Error(code, text);
}

LogCapture::LogCapture() : outer_(t_capture) { t_capture = this; }

LogCapture::~LogCapture() { t_capture = outer_; }

void LogCapture::add(std::string line) {
  constexpr std::size_t kMostLines = 100;
  if (lines_.size() < kMostLines) lines_.push_back(std::move(line));
}

std::string LogCapture::text() const {
  constexpr std::size_t kMostShown = 3;
  std::string all;
  for (std::size_t i = 0; i < lines_.size() && i < kMostShown; ++i) {
    std::string_view line = lines_[i];
    // "[graph 0 @ 0x55...] reason": the address tells a user nothing.
    if (const auto end = line.find("] "); line.starts_with('[') && end != std::string_view::npos) {
      line.remove_prefix(end + 2);
    }
    if (!all.empty()) all += "; ";
    all += line;
  }
  return all;
}

AVRational to_av(const Rational& value) {
  AVRational result{0, 1};
  av_reduce(&result.num, &result.den, value.num(), value.den(), INT32_MAX);
  return result;
}

Rational from_av(AVRational value, const Rational& fallback) {
  if (value.num == 0 || value.den == 0) return fallback;
  return {value.num, value.den};
}

bool frame_is_interlaced(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

bool frame_is_top_first(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_TOP_FIELD_FIRST) != 0;
#else
  return frame.top_field_first != 0;
#endif
}

bool frame_is_key(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_KEY) != 0;
#else
  return frame.key_frame != 0;
#endif
}

std::int64_t frame_duration(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  return frame.duration;
#else
  return frame.pkt_duration;
#endif
}

void set_frame_duration(AVFrame& frame, std::int64_t duration) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  frame.duration = duration;
#else
  frame.pkt_duration = duration;
#endif
}

std::span<const std::uint8_t> stream_side_data(const AVStream& stream, AVPacketSideDataType type) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
  const AVPacketSideData* data = av_packet_side_data_get(
      stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data, type);
  if (data == nullptr) return {};
  return {data->data, data->size};
#else
  std::size_t size = 0;
  const std::uint8_t* data = av_stream_get_side_data(&stream, type, &size);
  if (data == nullptr) return {};
  return {data, size};
#endif
}

void add_stream_side_data(AVStream& stream,
                          AVPacketSideDataType type,
                          std::span<const std::uint8_t> data) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
  AVPacketSideData* entry = av_packet_side_data_new(&stream.codecpar->coded_side_data,
                                                    &stream.codecpar->nb_coded_side_data,
                                                    type,
                                                    data.size(),
                                                    0);
  std::uint8_t* to = entry == nullptr ? nullptr : entry->data;
#else
  std::uint8_t* to = av_stream_new_side_data(&stream, type, data.size());
#endif
  if (to == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  std::memcpy(to, data.data(), data.size());
}

namespace {

#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
template <typename T>
std::vector<T> supported(const AVCodec& codec, AVCodecConfig what) {
  const void* list = nullptr;
  int count = 0;
  if (avcodec_get_supported_config(nullptr, &codec, what, 0, &list, &count) < 0 ||
      list == nullptr) {
    return {};
  }
  const T* values = static_cast<const T*>(list);
  return {values, values + count};
}
#else
template <typename T>
std::vector<T> until(const T* list, T end) {
  std::vector<T> values;
  for (; list != nullptr && *list != end; ++list) values.push_back(*list);
  return values;
}
#endif

}  // namespace

std::vector<AVPixelFormat> encoder_pixel_formats(const AVCodec& codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
  return supported<AVPixelFormat>(codec, AV_CODEC_CONFIG_PIX_FORMAT);
#else
  return until(codec.pix_fmts, AV_PIX_FMT_NONE);
#endif
}

std::vector<AVSampleFormat> encoder_sample_formats(const AVCodec& codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
  return supported<AVSampleFormat>(codec, AV_CODEC_CONFIG_SAMPLE_FORMAT);
#else
  return until(codec.sample_fmts, AV_SAMPLE_FMT_NONE);
#endif
}

std::vector<int> encoder_sample_rates(const AVCodec& codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
  return supported<int>(codec, AV_CODEC_CONFIG_SAMPLE_RATE);
#else
  return until(codec.supported_samplerates, 0);
#endif
}

std::vector<const AVChannelLayout*> encoder_channel_layouts(const AVCodec& codec) {
  std::vector<const AVChannelLayout*> layouts;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
  const void* list = nullptr;
  int count = 0;
  if (avcodec_get_supported_config(
          nullptr, &codec, AV_CODEC_CONFIG_CHANNEL_LAYOUT, 0, &list, &count) < 0) {
    return {};
  }
  const auto* values = static_cast<const AVChannelLayout*>(list);
  for (int i = 0; values != nullptr && i < count; ++i) layouts.push_back(values + i);
#else
  for (const AVChannelLayout* layout = codec.ch_layouts;
       layout != nullptr && layout->nb_channels > 0;
       ++layout) {
    layouts.push_back(layout);
  }
#endif
  return layouts;
}

}  // namespace vsr::media
