#include "vsr/media/source.hpp"

#include "picture_decoder.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <vector>

namespace vsr::media {

namespace {

constexpr std::uint64_t kMiB = 1u << 20;

std::string metadata(const AVDictionary* entries, const char* key) {
  const AVDictionaryEntry* entry = av_dict_get(entries, key, nullptr, 0);
  return entry == nullptr ? std::string() : std::string(entry->value);
}

StreamKind kind_of(AVMediaType type) {
  switch (type) {
    case AVMEDIA_TYPE_VIDEO:
      return StreamKind::kVideo;
    case AVMEDIA_TYPE_AUDIO:
      return StreamKind::kAudio;
    case AVMEDIA_TYPE_SUBTITLE:
      return StreamKind::kSubtitle;
    case AVMEDIA_TYPE_ATTACHMENT:
      return StreamKind::kAttachment;
    default:
      return StreamKind::kOther;
  }
}

StreamInfo stream_info(const AVStream& stream) {
  const AVCodecParameters& parameters = *stream.codecpar;
  StreamInfo info;
  info.index = stream.index;
  info.kind = kind_of(parameters.codec_type);
  info.codec = avcodec_get_name(parameters.codec_id);
  info.language = metadata(stream.metadata, "language");
  info.title = metadata(stream.metadata, "title");
  info.default_track = (stream.disposition & AV_DISPOSITION_DEFAULT) != 0;
  info.attached_picture = (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
  if (info.kind == StreamKind::kAudio) {
    info.sample_rate = parameters.sample_rate;
    info.channels = parameters.ch_layout.nb_channels;
    std::array<char, 128> text{};
    if (av_channel_layout_describe(&parameters.ch_layout, text.data(), text.size()) > 0) {
      info.channel_layout = text.data();
    }
  }
  return info;
}

FieldOrder field_order_of(AVFieldOrder order) {
  switch (order) {
    case AV_FIELD_PROGRESSIVE:
      return FieldOrder::kProgressive;
    case AV_FIELD_TT:
    case AV_FIELD_TB:  // as MOV and Matroska mean it: lines interleaved, the top field shown first
      return FieldOrder::kTopFirst;
    case AV_FIELD_BB:
    case AV_FIELD_BT:
      return FieldOrder::kBottomFirst;
    default:
      return FieldOrder::kUnknown;
  }
}

// By the flags of the first pictures, where no header says it.
FieldOrder field_order_of_pictures(const Input& input, int stream) {
  constexpr int kPictures = 10;
  PictureDecoder decoder(input.path, stream, 0);
  int progressive = 0;
  int top_first = 0;
  int bottom_first = 0;
  for (int i = 0; i < kPictures; ++i) {
    const FramePtr frame = decoder.next();
    if (!frame) break;
    if (!frame_is_interlaced(*frame)) {
      ++progressive;
    } else {
      ++(frame_is_top_first(*frame) ? top_first : bottom_first);
    }
  }
  if (progressive + top_first + bottom_first == 0) return FieldOrder::kUnknown;
  if (progressive > top_first + bottom_first) return FieldOrder::kProgressive;
  return top_first >= bottom_first ? FieldOrder::kTopFirst : FieldOrder::kBottomFirst;
}

// Without a tag; a wide picture of few lines is a cropped HD film.
Matrix matrix_by_size(const PictureFormat& format) {
  return format.height <= 576 && format.width < 1280 ? Matrix::kBt601 : Matrix::kBt709;
}

ChromaSiting siting_by_codec(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_THEORA:
    case AV_CODEC_ID_H261:
    case AV_CODEC_ID_H263:
      return ChromaSiting::kCenter;
    default:
      return ChromaSiting::kLeft;
  }
}

void resolve_colour(const std::string& path,
                    const AVCodecParameters& parameters,
                    VideoInfo& video) {
  const auto pixels = static_cast<AVPixelFormat>(parameters.format);
  const AVCodecDescriptor* codec = avcodec_descriptor_get(parameters.codec_id);
  const bool still = codec != nullptr && (codec->mime_types != nullptr) &&
                     std::string_view(codec->mime_types[0]).starts_with("image/");
  ColourDescription& colour = video.colour;
  const auto matrix = matrix_of(parameters.color_space);
  if (!matrix && parameters.color_space != AVCOL_SPC_UNSPECIFIED &&
      parameters.color_space != AVCOL_SPC_RESERVED && parameters.color_space != AVCOL_SPC_RGB &&
      video.format.model == ColourModel::kYuv) {
    const char* name = av_color_space_name(parameters.color_space);
    throw Error(ErrorCode::kInput,
                format("{}: its colour matrix is {}, which is not supported; convert the film to "
                       "bt709 or bt2020nc first",
                       path,
                       name == nullptr ? "unknown" : name));
  }
  video.matrix_tagged = matrix.has_value() || video.format.model != ColourModel::kYuv;
  colour.matrix = matrix.value_or(matrix_by_size(video.format));
  video.range_tagged = parameters.color_range != AVCOL_RANGE_UNSPECIFIED || is_yuvj(pixels);
  // RGB uses the whole range, and so do gray pictures in files for stills.
  colour.full_range = video.range_tagged
                          ? parameters.color_range == AVCOL_RANGE_JPEG || is_yuvj(pixels)
                          : video.format.model == ColourModel::kRgb ||
                                (video.format.model == ColourModel::kGray && still);
  colour.siting =
      siting_of(parameters.chroma_location).value_or(siting_by_codec(parameters.codec_id));
  colour.primaries = parameters.color_primaries;
  colour.transfer = parameters.color_trc;
}

VideoInfo video_info(const Input& input, const AVStream& stream) {
  const AVCodecParameters& parameters = *stream.codecpar;
  const auto pixels = static_cast<AVPixelFormat>(parameters.format);
  VideoInfo video;
  video.stream = stream.index;
  video.codec = avcodec_get_name(parameters.codec_id);
  const auto planar = planar_format(pixels);
  if (!planar) {
    throw Error(ErrorCode::kInput,
                format("{}: its pixel format {} is not supported; convert the film first",
                       input.path,
                       format_name(pixels)));
  }
  if (static_cast<std::int64_t>(parameters.width) * parameters.height > kMostPixels) {
    throw Error(ErrorCode::kInput,
                format("{}: its pictures of {}x{} are too large",
                       input.path,
                       parameters.width,
                       parameters.height));
  }
  video.format = known_picture_format(*planar, parameters.width, parameters.height);
  resolve_colour(input.path, parameters, video);
  AVFormatContext* context = input.format.get();
  auto* mutable_stream = context->streams[stream.index];
  video.sample_aspect =
      from_av(av_guess_sample_aspect_ratio(context, mutable_stream, nullptr), Rational(1, 1));
  if (video.sample_aspect < Rational(0, 1)) video.sample_aspect = Rational(1, 1);
  video.rate = from_av(stream.avg_frame_rate, from_av(stream.r_frame_rate, Rational(25, 1)));
  if (video.rate <= Rational(0, 1)) video.rate = Rational(25, 1);
  video.field_order = field_order_of(parameters.field_order);
  if (video.field_order == FieldOrder::kUnknown) {
    video.field_order = field_order_of_pictures(input, stream.index);
  }
  return video;
}

std::vector<ChapterInfo> chapters_of(const AVFormatContext& context) {
  std::vector<ChapterInfo> chapters;
  for (unsigned i = 0; i < context.nb_chapters; ++i) {
    const AVChapter& chapter = *context.chapters[i];
    const double tick_s = av_q2d(chapter.time_base);
    chapters.push_back({static_cast<double>(chapter.start) * tick_s,
                        static_cast<double>(chapter.end) * tick_s,
                        metadata(chapter.metadata, "title")});
  }
  return chapters;
}

void hash_file(const std::string& path, Sha256& hash) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto fail = [&] { throw Error(ErrorCode::kInput, format("{}: cannot be read", path)); };
  if (!file) fail();
  const auto bytes = static_cast<std::uint64_t>(file.tellg());
  hash.update(format("{} bytes;", bytes));
  constexpr std::uint64_t kPieces = 8;
  std::vector<char> piece(kMiB);
  std::uint64_t done = 0;  // pieces of a small file would overlap
  for (std::uint64_t i = 0; i < kPieces; ++i) {
    const std::uint64_t last = bytes > kMiB ? bytes - kMiB : 0;
    const std::uint64_t at = std::max(last / (kPieces - 1) * i, done);
    const std::uint64_t from = i + 1 == kPieces ? std::max(last, done) : at;
    const std::uint64_t count = std::min(kMiB, bytes - std::min(from, bytes));
    if (count == 0) continue;
    file.seekg(static_cast<std::streamoff>(from));
    file.read(piece.data(), static_cast<std::streamsize>(count));
    if (!file) {
      throw Error(
          ErrorCode::kStorage,
          format("{}: cannot be read; see to the disk or the network it lies on, then start "
                 "again",
                 path));
    }
    hash.update(piece.data(), count);
    done = from + count;
  }
}

}  // namespace

SourceInfo probe(const std::filesystem::path& path) {
  const Input input = open_input(path.string(), Search::kThorough);
  AVFormatContext& context = *input.format;
  SourceInfo info;
  info.path = path;
  info.container = context.iformat->name;
  info.file_bytes = input.bytes;
  if (input.image_sequence) {
    info.duration_s = static_cast<double>(input.images) / 25.0;
  } else if (context.duration != AV_NOPTS_VALUE && context.duration > 0) {
    info.duration_s = static_cast<double>(context.duration) / AV_TIME_BASE;
  }
  info.video = video_info(input, film_stream(input));
  for (unsigned i = 0; i < context.nb_streams; ++i) {
    info.streams.push_back(stream_info(*context.streams[i]));
  }
  info.chapters = chapters_of(context);
  return info;
}

std::string fingerprint(const std::filesystem::path& path) {
  const std::string name = path.string();
  Sha256 hash;
  if (!is_image_pattern(name)) {
    hash_file(name, hash);
    return hash.finish();
  }
  const Input input = open_input(name);
  hash.update(
      format("{} pictures from {}, {} bytes;", input.images, input.first_image, input.bytes));
  constexpr std::int64_t kSamples = 8;
  std::int64_t last = -1;
  for (std::int64_t i = 0; i < kSamples; ++i) {
    const std::int64_t image = (input.images - 1) * i / (kSamples - 1);
    if (image == last) continue;
    last = image;
    hash_file(image_name(name, input.first_image + image), hash);
  }
  return hash.finish();
}

std::string library_versions() {
  const auto version = [](const char* name, unsigned value) {
    return format("{} {}.{}.{}",
                  name,
                  AV_VERSION_MAJOR(value),
                  AV_VERSION_MINOR(value),
                  AV_VERSION_MICRO(value));
  };
  return format("FFmpeg {} ({}, {}, {}, {}, {}, {})",
                av_version_info(),
                version("libavformat", avformat_version()),
                version("libavcodec", avcodec_version()),
                version("libavfilter", avfilter_version()),
                version("libavutil", avutil_version()),
                version("libswscale", swscale_version()),
                version("libswresample", swresample_version()));
}

}  // namespace vsr::media
