// The files that show two films: decode both, compose, encode, and for a video the first one's
// sound.
#include "vsr/assemble/comparison.hpp"

#include "media/rate.hpp"
#include "source_tracks.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/media/frames_ahead.hpp"

#include <limits>
#include <memory>
#include <string_view>
#include <utility>

namespace vsr::assemble {

namespace {

using media::FramePtr;
using media::PacketPtr;

constexpr const char* kCrf = "16";
constexpr int kJpegQuality = 2;  // FFmpeg's scale, of which 2 is as good as it gets
constexpr double kReadAheadS = 2;
constexpr AVRational kNanosecond{1, 1'000'000'000};

const char* muxer_of(ComparisonFile file) {
  switch (file) {
    case ComparisonFile::kMp4:
      return "mp4";
    case ComparisonFile::kMov:
      return "mov";
    default:
      return "matroska";
  }
}

media::CodecPtr make_encoder(const char* name, const PictureFormat& format, AVPixelFormat pixels) {
  const AVCodec* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) {
    throw Error(ErrorCode::kUsage, vsr::format("this FFmpeg was built without {}", name));
  }
  media::CodecPtr encoder(avcodec_alloc_context3(codec));
  if (!encoder) throw Error(ErrorCode::kInternal, "out of memory");
  encoder->width = format.width;
  encoder->height = format.height;
  encoder->pix_fmt = pixels;
  encoder->time_base = {1, 25};
  encoder->sample_aspect_ratio = {1, 1};
  return encoder;
}

void open(AVCodecContext& encoder) {
  const media::LogCapture log;
  const int result = avcodec_open2(&encoder, encoder.codec, nullptr);
  if (result >= 0) return;
  throw Error(ErrorCode::kUsage,
              format("{} cannot be opened for {}x{}: {}",
                     encoder.codec->name,
                     encoder.width,
                     encoder.height,
                     log.lines().empty() ? media::av_error_text(result) : log.text()));
}

media::CodecPtr open_video_encoder(const ComparisonSpec& spec, const PictureFormat& format) {
  media::CodecPtr encoder = make_encoder("libx264", format, AV_PIX_FMT_YUV420P);
  encoder->time_base = media::to_av(spec.rate.inverse());
  encoder->framerate = media::to_av(spec.rate);
  encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  encoder->thread_count = usable_cpus();
  media::tag_colour(*encoder, spec.form_a.colour, format);
  av_opt_set(encoder->priv_data, "crf", kCrf, 0);
  av_opt_set(encoder->priv_data, "preset", "medium", 0);
  open(*encoder);
  return encoder;
}

// Pairs of both films, composed.
class Composer {
 public:
  Composer(const ComparisonSpec& spec,
           const std::function<media::FramePair(std::int64_t)>& pair,
           std::int64_t count)
      : spec_(spec),
        format_(composed_format(spec.form_a.format, spec.form_b.format, spec.layout)),
        a_(
            spec.a, [pair](std::int64_t i) { return pair(i).a; }, count),
        b_(
            spec.b, [pair](std::int64_t i) { return pair(i).b; }, count) {}

  const PictureFormat& format() const { return format_; }

  // Null after the last.
  FramePtr next() {
    PictureView a;
    PictureView b;
    if (!a_.read(a) || !b_.read(b)) return nullptr;
    FramePtr frame = media::allocate_frame(format_);
    const ColourDescription& colour = spec_.form_a.colour;
    compose(a, b, spec_.layout, colour.full_range, media::mutable_view_of(*frame));
    media::tag_colour(*frame, colour, format_);
    frame->sample_aspect_ratio = {1, 1};
    return frame;
  }

 private:
  const ComparisonSpec& spec_;
  const PictureFormat format_;
  media::FramesAhead a_;
  media::FramesAhead b_;
};

// The next packet the encoder has ready; null: none yet, or none any more.
PacketPtr next_packet(AVCodecContext& encoder) {
  PacketPtr packet = media::make_packet();
  const int result = avcodec_receive_packet(&encoder, packet.get());
  if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return nullptr;
  media::check_av(result, ErrorCode::kInternal, "encoding");
  return packet;
}

// The film's first sound track, if it has one and the container holds it.
class Sound {
 public:
  Sound(const ComparisonSpec& spec,
        const media::FramePairs& pairs,
        const std::vector<FilmFile>& files,
        std::vector<std::string>& warnings)
      : input_(media::open_input(spec.sound.string(), media::Search::kThorough)) {
    AssembleSpec assembly;
    assembly.audio.kind = holds(*files.front().file, warnings) ? StreamChoice::Kind::kFirst
                                                               : StreamChoice::Kind::kNone;
    assembly.subtitles.kind = StreamChoice::Kind::kNone;
    const std::int64_t first = pairs.at(0).a;
    const Rational start_s = media::sum(spec.a.start_time_s, Rational(first, 1) / spec.a.rate);
    const FilmTimes times{
        Retiming(start_s, Rational(1, 1)), Rational(pairs.size(), 1) / spec.rate, true};
    tracks_ = std::make_unique<SourceTracks>(input_, assembly, times, files, warnings);
  }

  void read_until(double seconds) { tracks_->pump_until(seconds + kReadAheadS); }

  void finish() { tracks_->finish(); }

 private:
  // Only of Matroska the rest of the program knows what it holds.
  bool holds(OutputFile& file, std::vector<std::string>& warnings) const {
    const int index =
        av_find_best_stream(input_.format.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
    if (index < 0) return false;
    for (unsigned i = 0; i < input_.format->nb_streams; ++i) {
      const AVCodecParameters& parameters = *input_.format->streams[i]->codecpar;
      if (parameters.codec_type != AVMEDIA_TYPE_AUDIO) continue;
      const AVOutputFormat* container = file.format().oformat;
      const bool matroska = std::string_view(container->name) == "matroska";
      if (matroska ||
          avformat_query_codec(container, parameters.codec_id, FF_COMPLIANCE_NORMAL) == 1) {
        return true;
      }
      warnings.push_back(format("the sound of A is left out: {} cannot hold {}; .mkv can",
                                container->name,
                                avcodec_get_name(parameters.codec_id)));
      return false;
    }
    return false;
  }

  media::Input input_;
  std::unique_ptr<SourceTracks> tracks_;
};

FramePtr packed_rgb(const AVFrame& planar) {
  const PictureView from = media::view_of(planar);
  FramePtr packed = media::make_frame();
  packed->format = AV_PIX_FMT_RGB24;
  packed->width = from.format.width;
  packed->height = from.format.height;
  media::check_av(av_frame_get_buffer(packed.get(), 0), ErrorCode::kInternal, "a picture");
  for (int y = 0; y < from.format.height; ++y) {
    std::uint8_t* row = packed->data[0] + static_cast<std::ptrdiff_t>(y) * packed->linesize[0];
    for (std::size_t p = 0; p < 3; ++p) {
      const auto* samples =
          reinterpret_cast<const std::uint8_t*>(from.planes[p] + y * from.pitch_bytes[p]);
      for (int x = 0; x < from.format.width; ++x) {
        row[static_cast<std::size_t>(3 * x) + p] = samples[x];
      }
    }
  }
  return packed;
}

}  // namespace

std::vector<std::string> write_comparison_video(const ComparisonSpec& spec,
                                                const media::FramePairs& pairs,
                                                const std::filesystem::path& path,
                                                const std::function<bool(std::int64_t)>& progress) {
  std::vector<std::string> warnings;
  Composer pictures(
      spec, [&](std::int64_t i) { return pairs.at(i); }, pairs.size());
  const media::CodecPtr encoder = open_video_encoder(spec, pictures.format());
  std::vector<FilmFile> files;
  files.push_back(
      {AudioVariant::kPitchOk, std::make_unique<OutputFile>(path, muxer_of(spec.file))});
  OutputFile& file = *files.front().file;
  AVStream& video = file.add_stream();
  media::check_av(avcodec_parameters_from_context(video.codecpar, encoder.get()),
                  ErrorCode::kInternal,
                  "describing the video stream");
  video.time_base = encoder->time_base;
  video.avg_frame_rate = encoder->framerate;
  av_dict_set(&file.format().metadata, "title", spec.title.c_str(), 0);
  Sound sound(spec, pairs, files, warnings);
  file.write_header();

  const auto pass_on = [&] {
    while (PacketPtr packet = next_packet(*encoder)) {
      packet->duration = 1;
      const std::int64_t time_ns = av_rescale_q(packet->dts, encoder->time_base, kNanosecond);
      file.add(std::move(packet), video.index, encoder->time_base);
      file.write_until(time_ns);
    }
  };
  std::int64_t done = 0;
  while (FramePtr frame = pictures.next()) {
    frame->pts = done++;
    media::set_frame_duration(*frame, 1);
    sound.read_until(static_cast<double>(done) / spec.rate.to_double());
    media::check_av(avcodec_send_frame(encoder.get(), frame.get()),
                    ErrorCode::kInternal,
                    format("encoding frame {}", done - 1));
    pass_on();
    if (!progress(done)) throw Error(ErrorCode::kInterrupted, "stopped");
  }
  media::check_av(
      avcodec_send_frame(encoder.get(), nullptr), ErrorCode::kInternal, "ending the encoder");
  sound.finish();
  pass_on();
  file.finish();
  return warnings;
}

void write_comparison_picture(const ComparisonSpec& spec,
                              const media::FramePair& pair,
                              const std::filesystem::path& path) {
  Composer pictures(
      spec, [&](std::int64_t) { return pair; }, 1);
  FramePtr frame = pictures.next();
  if (!frame) throw Error(ErrorCode::kInternal, "no picture");
  const bool png = spec.file == ComparisonFile::kPng;
  if (png) {
    frame = packed_rgb(*frame);
  } else {
    frame->format = AV_PIX_FMT_YUVJ444P;  // of full range, which else only the tag says
    frame->quality = kJpegQuality * FF_QP2LAMBDA;
  }
  const media::CodecPtr encoder = make_encoder(
      png ? "png" : "mjpeg", pictures.format(), static_cast<AVPixelFormat>(frame->format));
  if (!png) {
    encoder->flags |= AV_CODEC_FLAG_QSCALE;
    encoder->global_quality = kJpegQuality * FF_QP2LAMBDA;
  }
  open(*encoder);
  frame->pts = 0;
  media::check_av(
      avcodec_send_frame(encoder.get(), frame.get()), ErrorCode::kInternal, "encoding the picture");
  media::check_av(
      avcodec_send_frame(encoder.get(), nullptr), ErrorCode::kInternal, "encoding the picture");
  const PacketPtr packet = next_packet(*encoder);
  if (!packet) throw Error(ErrorCode::kInternal, "the encoder gave no picture");
  write_file(path,
             std::string_view(reinterpret_cast<const char*>(packet->data),
                              static_cast<std::size_t>(packet->size)));
}

}  // namespace vsr::assemble
