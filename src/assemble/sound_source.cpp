#include "sound_source.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <utility>

namespace vsr::assemble {

namespace {

// Timestamps rounded to a container's ticks wander by a few milliseconds without meaning it; what
// differs by more than this is a real hole or overlap. Less than a frame at any usual rate, so
// sound and picture never drift apart by one.
constexpr std::int64_t kToleranceMs = 20;
constexpr int kSilencePieces = 10;  // of a second

}  // namespace

SoundSource::SoundSource(const AVStream& stream,
                         const SoundFormat& format,
                         const Retiming& retiming,
                         std::int64_t most_samples,
                         Sink sink)
    : time_base_(stream.time_base),
      format_(format),
      retiming_(retiming),
      most_(most_samples),
      sink_(std::move(sink)),
      decoded_(media::make_frame()),
      converted_(media::make_frame()) {
  const AVCodec* codec = avcodec_find_decoder(stream.codecpar->codec_id);
  if (codec == nullptr) {
    throw Error(ErrorCode::kInput,
                vsr::format("this FFmpeg has no decoder for {}",
                            avcodec_get_name(stream.codecpar->codec_id)));
  }
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_) throw Error(ErrorCode::kInternal, "out of memory");
  media::check_av(avcodec_parameters_to_context(decoder_.get(), stream.codecpar),
                  ErrorCode::kInput,
                  "setting up the decoder");
  decoder_->pkt_timebase = time_base_;
  decoder_->thread_count = 1;
  media::Dictionary options;
  // The mix as it was made: without the compression that AC-3 carries for late-night listening,
  // which would otherwise be fixed into the film.
  options.set("drc_scale", "0");
  media::check_av(avcodec_open2(decoder_.get(), codec, options.slot()),
                  ErrorCode::kInput,
                  vsr::format("opening the decoder for {}", codec->name));
}

SoundSource::~SoundSource() = default;

void SoundSource::take(const AVPacket& packet) {
  if (full()) return;
  const int result = avcodec_send_packet(decoder_.get(), &packet);
  // A damaged packet costs its sound; the hole is filled when the next one says where it belongs.
  if (result < 0) ++damaged_;
  receive();
}

void SoundSource::finish() {
  if (full()) return;
  avcodec_send_packet(decoder_.get(), nullptr);
  receive();
}

void SoundSource::receive() {
  while (true) {
    const int result = avcodec_receive_frame(decoder_.get(), decoded_.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
    if (result < 0) {
      ++damaged_;
      return;
    }
    place(*decoded_);
    av_frame_unref(decoded_.get());
  }
}

void SoundSource::place(AVFrame& decoded) {
  if (decoded.nb_samples <= 0 || decoded.sample_rate <= 0) return;
  convert(decoded);
  const AVFrame& frame = *converted_;
  std::int64_t at = given_;
  if (decoded.best_effort_timestamp != AV_NOPTS_VALUE) {
    at = retiming_.since_start(decoded.best_effort_timestamp,
                               Rational(time_base_.num, time_base_.den),
                               Rational(1, format_.rate));
  }
  std::int64_t skip = 0;
  const std::int64_t tolerance = started_ ? kToleranceMs * format_.rate / 1000 : 0;
  if (at > given_ + tolerance) {
    // Sound that is not wanted any more must not be led up to by silence.
    if (at >= most_) return;
    if (started_) silence_ += at - given_;
    emit_silence(at - given_);
  } else if (at < given_ - tolerance) {
    skip = given_ - at;
  }
  if (skip >= frame.nb_samples) return;
  started_ = true;
  emit(frame, skip);
  last_sound_ = given_;
}

bool SoundSource::same_as_last(const AVFrame& frame) const {
  return converter_input_ && converter_input_->format == frame.format &&
         converter_input_->sample_rate == frame.sample_rate &&
         av_channel_layout_compare(&converter_input_->ch_layout, &frame.ch_layout) == 0;
}

// To planar float at our rate and layout. A broadcast may change both at any packet.
void SoundSource::convert(const AVFrame& decoded) {
  if (!same_as_last(decoded)) {
    AVChannelLayout layout{};
    if (decoded.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
      av_channel_layout_default(&layout, decoded.ch_layout.nb_channels);
    } else {
      layout = decoded.ch_layout;  // borrowed while the converter is set up
    }
    SwrContext* made = nullptr;
    const int result = swr_alloc_set_opts2(&made,
                                           const_cast<AVChannelLayout*>(&format_.layout),
                                           AV_SAMPLE_FMT_FLTP,
                                           format_.rate,
                                           &layout,
                                           static_cast<AVSampleFormat>(decoded.format),
                                           decoded.sample_rate,
                                           0,
                                           nullptr);
    converter_.reset(made);
    // Mixing channels together must not drive the sum over full scale.
    if (made != nullptr) av_opt_set_double(made, "rematrix_maxval", 1.0, 0);
    media::check_av(result < 0 ? result : swr_init(converter_.get()),
                    ErrorCode::kInput,
                    "converting the sound");
    converter_input_ = media::make_frame();
    converter_input_->format = decoded.format;
    converter_input_->sample_rate = decoded.sample_rate;
    media::check_av(av_channel_layout_copy(&converter_input_->ch_layout, &decoded.ch_layout),
                    ErrorCode::kInternal,
                    "converting the sound");
  }
  av_frame_unref(converted_.get());
  const int room = swr_get_out_samples(converter_.get(), decoded.nb_samples);
  converted_->format = AV_SAMPLE_FMT_FLTP;
  converted_->sample_rate = format_.rate;
  converted_->nb_samples = std::max(room, 1);
  media::check_av(av_channel_layout_copy(&converted_->ch_layout, &format_.layout),
                  ErrorCode::kInternal,
                  "converting the sound");
  media::check_av(
      av_frame_get_buffer(converted_.get(), 0), ErrorCode::kInternal, "converting the sound");
  const int samples = swr_convert(converter_.get(),
                                  converted_->extended_data,
                                  converted_->nb_samples,
                                  const_cast<const std::uint8_t**>(decoded.extended_data),
                                  decoded.nb_samples);
  converted_->nb_samples = media::check_av(samples, ErrorCode::kInput, "converting the sound");
}

void SoundSource::fill_until(std::int64_t sample) {
  const std::int64_t end = std::min(sample, most_);
  if (end > given_) {
    started_ = true;
    emit_silence(end - given_);
  }
}

void SoundSource::emit_silence(std::int64_t samples) {
  if (!silence_frame_) {
    silence_frame_ = media::make_frame();
    silence_frame_->format = AV_SAMPLE_FMT_FLTP;
    silence_frame_->sample_rate = format_.rate;
    silence_frame_->nb_samples = format_.rate / kSilencePieces;
    media::check_av(av_channel_layout_copy(&silence_frame_->ch_layout, &format_.layout),
                    ErrorCode::kInternal,
                    "making silence");
    media::check_av(
        av_frame_get_buffer(silence_frame_.get(), 0), ErrorCode::kInternal, "making silence");
    av_samples_set_silence(silence_frame_->extended_data,
                           0,
                           silence_frame_->nb_samples,
                           format_.layout.nb_channels,
                           AV_SAMPLE_FMT_FLTP);
  }
  const std::int64_t piece = silence_frame_->nb_samples;
  while (samples > 0 && !full()) {
    emit(*silence_frame_, piece - std::min(piece, samples));
    samples -= piece;
  }
}

// Gives the frame less its first `skip` samples, and less what lies after the end.
void SoundSource::emit(const AVFrame& frame, std::int64_t skip) {
  const std::int64_t samples = std::min(frame.nb_samples - skip, most_ - given_);
  if (samples <= 0) return;
  const media::FramePtr part = media::make_frame();
  media::check_av(av_frame_ref(part.get(), &frame), ErrorCode::kInternal, "passing the sound on");
  for (int channel = 0; channel < format_.layout.nb_channels; ++channel) {
    part->extended_data[channel] += skip * static_cast<std::int64_t>(sizeof(float));
  }
  part->nb_samples = static_cast<int>(samples);
  given_ += samples;
  sink_(*part);
}

}  // namespace vsr::assemble
