#include "metadata.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace vsr::assemble {

namespace {

constexpr AVRational kAvNanosecond{1, 1'000'000'000};
const Rational kNanosecond(1, 1'000'000'000);
// Pictures looked at for light levels before giving up.
constexpr int kPicturesTried = 300;

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  return result;
}

void copy_tags(const AVDictionary* from, AVDictionary** to, StreamContent content) {
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(from, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr) {
    if (!keeps_tag(entry->key, content)) continue;
    media::check_av(
        av_dict_set(to, entry->key, entry->value, 0), ErrorCode::kInternal, "copying tags");
  }
}

void set_tag(AVDictionary** tags, const char* key, const std::string& value) {
  media::check_av(av_dict_set(tags, key, value.c_str(), 0), ErrorCode::kInternal, "writing a tag");
}

void set_extradata(AVCodecParameters& parameters, const std::uint8_t* data, int size) {
  const auto bytes = static_cast<std::size_t>(size);
  parameters.extradata =
      static_cast<std::uint8_t*>(av_mallocz(bytes + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  if (size > 0) std::memcpy(parameters.extradata, data, bytes);
  parameters.extradata_size = size;
}

void add_cover(const AVStream& cover, OutputFile& to) {
  const AVPacket& picture = cover.attached_pic;
  if (picture.data == nullptr || picture.size <= 0) return;
  const bool png = cover.codecpar->codec_id == AV_CODEC_ID_PNG;
  const bool jpeg = cover.codecpar->codec_id == AV_CODEC_ID_MJPEG;
  const std::string name = avcodec_get_name(cover.codecpar->codec_id);
  AVStream& out = to.add_stream();
  out.codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
  out.codecpar->codec_id = cover.codecpar->codec_id;
  set_extradata(*out.codecpar, picture.data, picture.size);
  copy_tags(cover.metadata, &out.metadata, StreamContent::kCopied);
  // Matroska's own rule: players look for this name.
  if (av_dict_get(out.metadata, "filename", nullptr, 0) == nullptr) {
    set_tag(&out.metadata, "filename", jpeg ? "cover.jpg" : png ? "cover.png" : "cover." + name);
  }
  if (av_dict_get(out.metadata, "mimetype", nullptr, 0) == nullptr) {
    set_tag(&out.metadata, "mimetype", jpeg ? "image/jpeg" : "image/" + name);
  }
}

void add_attachment(const AVStream& attachment, OutputFile& to) {
  if (av_dict_get(attachment.metadata, "filename", nullptr, 0) == nullptr) return;
  AVStream& out = to.add_stream();
  out.codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
  out.codecpar->codec_id = attachment.codecpar->codec_id;
  set_extradata(*out.codecpar, attachment.codecpar->extradata, attachment.codecpar->extradata_size);
  copy_tags(attachment.metadata, &out.metadata, StreamContent::kCopied);
  if (av_dict_get(out.metadata, "mimetype", nullptr, 0) == nullptr) {
    set_tag(&out.metadata, "mimetype", "application/octet-stream");
  }
}

template <typename T>
std::optional<T> from_bytes(const std::uint8_t* data, std::size_t size) {
  if (data == nullptr || size < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, data, sizeof(T));
  return value;
}

void read_hdr_of_frame(const AVFrame& frame, HdrMetadata& hdr) {
  if (const AVFrameSideData* data =
          av_frame_get_side_data(&frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA)) {
    hdr.mastering = from_bytes<AVMasteringDisplayMetadata>(data->data, data->size);
  }
  if (const AVFrameSideData* data =
          av_frame_get_side_data(&frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL)) {
    hdr.light = from_bytes<AVContentLightMetadata>(data->data, data->size);
  }
}

// HEVC and AV1 streams may carry them beside the first picture only.
void read_hdr_of_pictures(const media::Input& input, const AVStream& film, HdrMetadata& hdr) {
  const AVCodec* codec = avcodec_find_decoder(film.codecpar->codec_id);
  if (codec == nullptr) return;
  const media::CodecPtr decoder(avcodec_alloc_context3(codec));
  if (!decoder || avcodec_parameters_to_context(decoder.get(), film.codecpar) < 0 ||
      avcodec_open2(decoder.get(), codec, nullptr) < 0) {
    return;
  }
  const media::PacketPtr packet = media::make_packet();
  const media::FramePtr frame = media::make_frame();
  for (int tried = 0; tried < kPicturesTried;) {
    if (media::read_packet(input, *packet) < 0) return;
    if (packet->stream_index == film.index) {
      ++tried;
      avcodec_send_packet(decoder.get(), packet.get());
      if (avcodec_receive_frame(decoder.get(), frame.get()) >= 0) {
        read_hdr_of_frame(*frame, hdr);
        return;
      }
    }
    av_packet_unref(packet.get());
  }
}

}  // namespace

bool keeps_tag(std::string_view key, StreamContent content) {
  std::string name = upper(key);
  // "BPS-eng": the same statistics with a language.
  if (const auto dash = name.find('-'); dash != std::string::npos) name.resize(dash);
  for (const char* untrue : {"BPS",
                             "DURATION",
                             "NUMBER_OF_FRAMES",
                             "NUMBER_OF_BYTES",
                             "SOURCE_ID",
                             "MAJOR_BRAND",
                             "MINOR_VERSION",
                             "COMPATIBLE_BRANDS",
                             "VENDOR_ID",
                             "ENCODER_OPTIONS"}) {
    if (name == untrue) return false;
  }
  if (name.starts_with("_STATISTICS_")) return false;
  if (content == StreamContent::kRemade && (name == "ENCODER" || name == "ENCODER_SETTINGS")) {
    return false;
  }
  return true;
}

void copy_stream_metadata(const AVStream& from, AVStream& to, StreamContent content) {
  copy_tags(from.metadata, &to.metadata, content);
  to.disposition = from.disposition;
}

void copy_film_metadata(const AVFormatContext& from, AVFormatContext& to) {
  copy_tags(from.metadata, &to.metadata, StreamContent::kRemade);
}

void copy_chapters(const AVFormatContext& from, AVFormatContext& to, const FilmTimes& times) {
  const std::int64_t end_ns =
      times.retiming.stretch_duration(1, times.source_length_s, kNanosecond);
  for (unsigned i = 0; i < from.nb_chapters; ++i) {
    const AVChapter& chapter = *from.chapters[i];
    const Rational base = media::from_av(chapter.time_base, kNanosecond);
    std::int64_t begin = times.retiming.place(chapter.start, base, kNanosecond);
    std::int64_t end = chapter.end == AV_NOPTS_VALUE
                           ? end_ns
                           : times.retiming.place(chapter.end, base, kNanosecond);
    if (end <= 0 || begin >= end_ns) continue;
    begin = std::max<std::int64_t>(begin, 0);
    if (times.partial) end = std::min(end, end_ns);
    auto* made = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
    if (made == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
    made->id = chapter.id;
    made->time_base = kAvNanosecond;
    made->start = begin;
    made->end = std::max(begin, end);
    // The list takes the chapter over, or frees itself.
    if (av_dynarray_add_nofree(&to.chapters, reinterpret_cast<int*>(&to.nb_chapters), made) < 0) {
      av_free(made);
      throw Error(ErrorCode::kInternal, "out of memory");
    }
    copy_tags(chapter.metadata, &made->metadata, StreamContent::kCopied);
  }
}

void copy_attachments(const AVFormatContext& from, OutputFile& to) {
  for (unsigned i = 0; i < from.nb_streams; ++i) {
    const AVStream& stream = *from.streams[i];
    if (stream.codecpar->codec_type == AVMEDIA_TYPE_ATTACHMENT) {
      add_attachment(stream, to);
    } else if ((stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
      add_cover(stream, to);
    }
  }
}

HdrMetadata read_hdr(const std::string& source,
                     const ColourDescription& colour,
                     const OpenBytes& open) {
  HdrMetadata hdr;
  if (colour.transfer != AVCOL_TRC_SMPTE2084 && colour.transfer != AVCOL_TRC_ARIB_STD_B67) {
    return hdr;
  }
  const media::Input input = media::open_input(source, media::Search::kQuick, open);
  const AVStream& film = media::film_stream(input);
  const auto mastering = media::stream_side_data(film, AV_PKT_DATA_MASTERING_DISPLAY_METADATA);
  hdr.mastering = from_bytes<AVMasteringDisplayMetadata>(mastering.data(), mastering.size());
  const auto light = media::stream_side_data(film, AV_PKT_DATA_CONTENT_LIGHT_LEVEL);
  hdr.light = from_bytes<AVContentLightMetadata>(light.data(), light.size());
  if (!hdr.mastering && !hdr.light) read_hdr_of_pictures(input, film, hdr);
  return hdr;
}

}  // namespace vsr::assemble
