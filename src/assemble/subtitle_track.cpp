// Subtitles of the source: packets copied with new times, dates inside DVD packets included; text
// of formats that Matroska lacks (MP4's) becomes SubRip.
#include "dvd_spu.hpp"
#include "metadata.hpp"
#include "track.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

namespace vsr::assemble {

namespace {

const Rational kNanosecond(1, 1'000'000'000);
constexpr AVRational kAvNanosecond{1, 1'000'000'000};

// Decodes one kind of text subtitle and encodes it as SubRip, packet by packet.
class ToSubRip {
 public:
  explicit ToSubRip(const AVStream& stream) {
    const AVCodec* decoder = avcodec_find_decoder(stream.codecpar->codec_id);
    const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_SUBRIP);
    if (decoder == nullptr || encoder == nullptr) {
      throw Error(ErrorCode::kInput, "this FFmpeg cannot turn them into text");
    }
    decoder_.reset(avcodec_alloc_context3(decoder));
    encoder_.reset(avcodec_alloc_context3(encoder));
    if (!decoder_ || !encoder_) throw Error(ErrorCode::kInternal, "out of memory");
    media::check_av(avcodec_parameters_to_context(decoder_.get(), stream.codecpar),
                    ErrorCode::kInput,
                    "setting up the decoder");
    decoder_->pkt_timebase = stream.time_base;
    media::check_av(
        avcodec_open2(decoder_.get(), decoder, nullptr), ErrorCode::kInput, "opening the decoder");
    // The encoder wants the ASS header that the decoder made.
    if (decoder_->subtitle_header != nullptr) {
      const auto size = static_cast<std::size_t>(decoder_->subtitle_header_size);
      encoder_->subtitle_header = static_cast<std::uint8_t*>(av_mallocz(size + 1));
      if (encoder_->subtitle_header == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
      std::memcpy(encoder_->subtitle_header, decoder_->subtitle_header, size);
      encoder_->subtitle_header_size = decoder_->subtitle_header_size;
    }
    encoder_->time_base = {1, 1000};
    media::check_av(
        avcodec_open2(encoder_.get(), encoder, nullptr), ErrorCode::kInput, "opening the encoder");
  }

  // The text of a packet; empty when it shows none or cannot be read.
  std::string convert(const AVPacket& packet) {
    AVSubtitle subtitle{};
    int got = 0;
    const media::PacketPtr copy(av_packet_clone(&packet));
    if (!copy) throw Error(ErrorCode::kInternal, "out of memory");
    std::string text;
    if (avcodec_decode_subtitle2(decoder_.get(), &subtitle, &got, copy.get()) >= 0 && got != 0) {
      if (subtitle.num_rects > 0) {
        std::vector<std::uint8_t> buffer(64 << 10);
        subtitle.start_display_time = 0;
        const int size = avcodec_encode_subtitle(
            encoder_.get(), buffer.data(), static_cast<int>(buffer.size()), &subtitle);
        if (size > 0) text.assign(buffer.begin(), buffer.begin() + size);
      }
      avsubtitle_free(&subtitle);
    }
    return text;
  }

 private:
  media::CodecPtr decoder_;
  media::CodecPtr encoder_;
};

class Subtitles final : public Track {
 public:
  Subtitles(const AVStream& stream,
            std::string name,
            const FilmTimes& times,
            const std::vector<FilmFile>& files,
            bool to_text)
      : time_base_(stream.time_base.num, stream.time_base.den),
        name_(std::move(name)),
        times_(times),
        film_end_ns_(times.retiming.stretch_duration(1, times.source_length_s, kNanosecond)),
        dvd_(stream.codecpar->codec_id == AV_CODEC_ID_DVD_SUBTITLE) {
    if (to_text) text_.emplace_back(stream);
    for (const FilmFile& film : files) {
      AVStream& out = film.file->add_stream();
      if (to_text) {
        out.codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
        out.codecpar->codec_id = AV_CODEC_ID_SUBRIP;
      } else {
        media::check_av(avcodec_parameters_copy(out.codecpar, stream.codecpar),
                        ErrorCode::kInternal,
                        "copying stream parameters");
        out.codecpar->codec_tag = 0;
      }
      out.time_base = stream.time_base;
      copy_stream_metadata(stream, out, StreamContent::kCopied);
      outputs_.push_back({film.file.get(), out.index});
    }
  }

  void take(const AVPacket& packet) override {
    const std::int64_t pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
    if (pts == AV_NOPTS_VALUE) {
      ++without_time_;
      return;
    }
    std::int64_t begin_ns = times_.retiming.place(pts, time_base_, kNanosecond);
    std::int64_t duration_ns = times_.retiming.stretch_duration(
        std::max<std::int64_t>(0, packet.duration), time_base_, kNanosecond);
    if (begin_ns < 0) {  // the part of it that lies in the film
      if (begin_ns + duration_ns <= 0) return;
      duration_ns += begin_ns;
      begin_ns = 0;
    }
    if (times_.partial) {
      if (begin_ns >= film_end_ns_) return;
      duration_ns = std::min(duration_ns, film_end_ns_ - begin_ns);
    }
    const media::PacketPtr made = content(packet);
    if (!made) return;
    for (const Output& output : outputs_) {
      media::PacketPtr copy(av_packet_clone(made.get()));
      if (!copy) throw Error(ErrorCode::kInternal, "out of memory");
      copy->pts = copy->dts = begin_ns;
      copy->duration = duration_ns;
      output.file->add(std::move(copy), output.stream, kAvNanosecond);
    }
  }

  double ahead_s() const override { return std::numeric_limits<double>::max(); }

  void fill_until(double) override {}

  void finish(std::vector<std::string>& warnings) override {
    if (without_time_ > 0) {
      warnings.push_back(
          format("{}: {} packets without a time were left out", name_, without_time_));
    }
    if (malformed_ > 0) {
      warnings.push_back(format(
          "{}: {} damaged packets were copied with their old inner dates", name_, malformed_));
    }
  }

 private:
  struct Output {
    OutputFile* file;
    int stream;
  };

  // The packet as the film holds it; null: nothing to show.
  media::PacketPtr content(const AVPacket& packet) {
    if (!text_.empty()) {
      const std::string text = text_.front().convert(packet);
      if (text.empty()) return nullptr;
      media::PacketPtr made = media::make_packet();
      media::check_av(av_new_packet(made.get(), static_cast<int>(text.size())),
                      ErrorCode::kInternal,
                      "allocating a packet");
      std::memcpy(made->data, text.data(), text.size());
      return made;
    }
    media::PacketPtr made(av_packet_clone(&packet));
    if (!made) throw Error(ErrorCode::kInternal, "out of memory");
    if (dvd_ && times_.retiming.changes_speed()) {
      media::check_av(
          av_packet_make_writable(made.get()), ErrorCode::kInternal, "copying a packet");
      if (!rescale_spu_dates({made->data, static_cast<std::size_t>(made->size)},
                             times_.retiming.stretch())) {
        ++malformed_;
      }
    }
    return made;
  }

  const Rational time_base_;
  const std::string name_;
  const FilmTimes times_;
  const std::int64_t film_end_ns_;
  const bool dvd_;
  std::vector<ToSubRip> text_;  // one, or none when packets are copied
  std::vector<Output> outputs_;
  std::int64_t without_time_ = 0;
  std::int64_t malformed_ = 0;
};

bool is_text(AVCodecID codec) {
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(codec);
  return descriptor != nullptr && (descriptor->props & AV_CODEC_PROP_TEXT_SUB) != 0;
}

}  // namespace

std::unique_ptr<Track> make_subtitles(const AVStream& stream,
                                      const std::string& name,
                                      const FilmTimes& times,
                                      const std::vector<FilmFile>& files,
                                      std::vector<std::string>& warnings) {
  const AVCodecID codec = stream.codecpar->codec_id;
  const bool copied = OutputFile::can_hold(codec);
  if (!copied && !is_text(codec)) {
    warnings.push_back(
        format("{} is left out: Matroska cannot hold {}", name, avcodec_get_name(codec)));
    return nullptr;
  }
  try {
    return std::make_unique<Subtitles>(stream, name, times, files, !copied);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInput) throw;
    warnings.push_back(format("{} is left out: {}", name, error.what()));
    return nullptr;
  }
}

}  // namespace vsr::assemble
