#include "sound_encoder.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace vsr::assemble {

namespace {

std::string describe(const AVChannelLayout& layout) {
  std::array<char, 128> name{};
  if (av_channel_layout_describe(&layout, name.data(), name.size()) < 0) return "unknown";
  return name.data();
}

// The layout as it is, else one of as many channels, else the largest with fewer.
AVChannelLayout choose_layout(const AVCodec& codec, const AVChannelLayout& source) {
  const std::vector<const AVChannelLayout*> known = media::encoder_channel_layouts(codec);
  if (known.empty()) return source;
  const AVChannelLayout* best = nullptr;
  for (const AVChannelLayout* layout : known) {
    if (av_channel_layout_compare(layout, &source) == 0) return *layout;
    if (layout->nb_channels > source.nb_channels) continue;
    if (best == nullptr || layout->nb_channels > best->nb_channels) best = layout;
  }
  // An encoder without so few channels: its smallest.
  return best != nullptr ? *best : *known.front();
}

int choose_rate(const AVCodec& codec, int source) {
  std::vector<int> known = media::encoder_sample_rates(codec);
  if (known.empty()) return source;
  std::sort(known.begin(), known.end());
  const auto found = std::lower_bound(known.begin(), known.end(), source);
  return found == known.end() ? known.back() : *found;
}

AVSampleFormat choose_sample_format(const AVCodec& codec) {
  const std::vector<AVSampleFormat> known = media::encoder_sample_formats(codec);
  for (const AVSampleFormat wanted : {AV_SAMPLE_FMT_FLTP,
                                      AV_SAMPLE_FMT_FLT,
                                      AV_SAMPLE_FMT_S32P,
                                      AV_SAMPLE_FMT_S32,
                                      AV_SAMPLE_FMT_S16P,
                                      AV_SAMPLE_FMT_S16}) {
    if (std::find(known.begin(), known.end(), wanted) != known.end()) return wanted;
  }
  return known.empty() ? AV_SAMPLE_FMT_FLTP : known.front();
}

}  // namespace

const AVCodec& find_sound_encoder(const std::string& codec) {
  // FFmpeg's own Opus encoder is an experiment; who writes opus means the usual one.
  const AVCodec* found = avcodec_find_encoder_by_name(codec == "opus" ? "libopus" : codec.c_str());
  if (found == nullptr || found->type != AVMEDIA_TYPE_AUDIO) {
    throw Error(ErrorCode::kUsage,
                format("final.audio_codec={}: this FFmpeg has no such sound encoder; ac3, eac3, "
                       "aac, flac and pcm_s24le are always there",
                       codec));
  }
  if (!OutputFile::can_hold(found->id)) {
    throw Error(ErrorCode::kUsage,
                format("final.audio_codec={}: Matroska cannot hold it; choose another", codec));
  }
  return *found;
}

SoundPlan plan_sound(const std::string& codec,
                     std::int64_t bit_rate,
                     const SoundFormat& source,
                     const std::string& name) {
  SoundPlan plan{.codec = &find_sound_encoder(codec)};
  plan.format = {choose_rate(*plan.codec, source.rate), choose_layout(*plan.codec, source.layout)};
  plan.sample_format = choose_sample_format(*plan.codec);
  plan.bit_rate = bit_rate;
  if (plan.format.layout.nb_channels < source.layout.nb_channels) {
    plan.warnings.push_back(format("{}: {} is mixed down to {}, the most that {} takes",
                                   name,
                                   describe(source.layout),
                                   describe(plan.format.layout),
                                   codec));
  }
  return plan;
}

media::CodecPtr open_sound_encoder(const SoundPlan& plan) {
  media::CodecPtr encoder(avcodec_alloc_context3(plan.codec));
  if (!encoder) throw Error(ErrorCode::kInternal, "out of memory");
  encoder->sample_rate = plan.format.rate;
  encoder->sample_fmt = plan.sample_format;
  encoder->time_base = {1, plan.format.rate};
  encoder->bit_rate = plan.bit_rate;
  encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
  if (plan.sample_format == AV_SAMPLE_FMT_S32 || plan.sample_format == AV_SAMPLE_FMT_S32P) {
    encoder->bits_per_raw_sample = 24;
  }
  media::check_av(av_channel_layout_copy(&encoder->ch_layout, &plan.format.layout),
                  ErrorCode::kInternal,
                  "setting up the sound encoder");
  const media::LogCapture capture;
  const int result = avcodec_open2(encoder.get(), plan.codec, nullptr);
  if (result < 0) {
    throw Error(ErrorCode::kUsage,
                format("final.audio_codec={} cannot make {} at {} Hz and {} bit/s "
                       "(final.audio_bitrate): {}",
                       plan.codec->name,
                       describe(plan.format.layout),
                       plan.format.rate,
                       plan.bit_rate,
                       capture.lines().empty() ? media::av_error_text(result) : capture.text()));
  }
  return encoder;
}

// Note [Priming]
// AC-3, AAC and their like give back every sample `initial_padding` samples late: what decodes from
// the first packet begins with that much of nothing. Stamping the first packet that much before 0
// says so exactly, but leaves a negative time in the file, which players and older Matroska
// muxers treat each in their own way. So the first initial_padding samples (5 ms with AC-3) are
// left out instead: then the first packet, stamped 0, decodes to what belongs at 0 and after, and
// only its first milliseconds are silent. Opus too: Matroska's own field for its padding was
// handled in two ways by FFmpeg's muxer over the years.
SoundEncoder::SoundEncoder(const SoundPlan& plan, OutputFile& file, AVStream& stream)
    : file_(file),
      stream_(stream.index),
      encoder_(open_sound_encoder(plan)),
      waiting_(av_audio_fifo_alloc(
          plan.sample_format, plan.format.layout.nb_channels, plan.format.rate)),
      frame_samples_(encoder_->frame_size > 0 ? encoder_->frame_size : plan.format.rate / 25),
      to_skip_(encoder_->initial_padding),
      position_(to_skip_) {
  if (!waiting_) throw Error(ErrorCode::kInternal, "out of memory");
  media::check_av(avcodec_parameters_from_context(stream.codecpar, encoder_.get()),
                  ErrorCode::kInternal,
                  "describing the sound stream");
  if (to_skip_ > 0) stream.codecpar->initial_padding = 0;
  stream.time_base = encoder_->time_base;
}

void SoundEncoder::take(const AVFrame& frame) {
  taken_ += frame.nb_samples;
  if (av_audio_fifo_write(waiting_.get(),
                          reinterpret_cast<void**>(frame.extended_data),
                          frame.nb_samples) < frame.nb_samples) {
    throw Error(ErrorCode::kInternal, "out of memory");
  }
  if (to_skip_ > 0) {
    const int skipped =
        static_cast<int>(std::min<std::int64_t>(to_skip_, av_audio_fifo_size(waiting_.get())));
    av_audio_fifo_drain(waiting_.get(), skipped);
    to_skip_ -= skipped;
  }
  // Half a second stays, so that finish() can still cut where the track has to end.
  const int kept = encoder_->sample_rate / 2;
  while (av_audio_fifo_size(waiting_.get()) >= frame_samples_ + kept) encode(frame_samples_);
}

void SoundEncoder::finish(std::int64_t samples) {
  const int size = av_audio_fifo_size(waiting_.get());
  if (taken_ > samples) {
    const std::int64_t left = std::max<std::int64_t>(0, size - (taken_ - samples));
    // A FIFO loses its oldest samples only, so what stays is taken out, as a frame to put back.
    const media::FramePtr tail = media::make_frame();
    tail->format = encoder_->sample_fmt;
    tail->nb_samples = std::max(1, static_cast<int>(left));
    media::check_av(av_channel_layout_copy(&tail->ch_layout, &encoder_->ch_layout),
                    ErrorCode::kInternal,
                    "ending the sound");
    media::check_av(av_frame_get_buffer(tail.get(), 0), ErrorCode::kInternal, "ending the sound");
    av_audio_fifo_read(
        waiting_.get(), reinterpret_cast<void**>(tail->extended_data), static_cast<int>(left));
    av_audio_fifo_reset(waiting_.get());
    if (left > 0) {
      av_audio_fifo_write(
          waiting_.get(), reinterpret_cast<void**>(tail->extended_data), static_cast<int>(left));
    }
  } else {
    add_silence(samples - taken_);
  }
  // What an encoder without a delay of its own holds back comes out with that much silence.
  if ((encoder_->codec->capabilities & AV_CODEC_CAP_DELAY) == 0 && samples > 0) {
    add_silence(encoder_->initial_padding);
  }
  while (av_audio_fifo_size(waiting_.get()) >= frame_samples_) encode(frame_samples_);
  if (const int rest = av_audio_fifo_size(waiting_.get()); rest > 0) encode(rest);
  media::check_av(
      avcodec_send_frame(encoder_.get(), nullptr), ErrorCode::kInternal, "ending the sound");
  pass_on();
}

void SoundEncoder::add_silence(std::int64_t samples) {
  const int channels = encoder_->ch_layout.nb_channels;
  const media::FramePtr silence = media::make_frame();
  silence->format = encoder_->sample_fmt;
  silence->nb_samples = encoder_->sample_rate / 10;
  media::check_av(av_channel_layout_copy(&silence->ch_layout, &encoder_->ch_layout),
                  ErrorCode::kInternal,
                  "ending the sound");
  media::check_av(av_frame_get_buffer(silence.get(), 0), ErrorCode::kInternal, "ending the sound");
  av_samples_set_silence(
      silence->extended_data, 0, silence->nb_samples, channels, encoder_->sample_fmt);
  while (samples > 0) {
    const int piece = static_cast<int>(std::min<std::int64_t>(samples, silence->nb_samples));
    if (av_audio_fifo_write(
            waiting_.get(), reinterpret_cast<void**>(silence->extended_data), piece) < piece) {
      throw Error(ErrorCode::kInternal, "out of memory");
    }
    while (av_audio_fifo_size(waiting_.get()) >= 2 * encoder_->sample_rate) encode(frame_samples_);
    samples -= piece;
  }
}

void SoundEncoder::encode(int samples) {
  const media::FramePtr frame = media::make_frame();
  frame->format = encoder_->sample_fmt;
  frame->sample_rate = encoder_->sample_rate;
  frame->nb_samples = samples;
  media::check_av(av_channel_layout_copy(&frame->ch_layout, &encoder_->ch_layout),
                  ErrorCode::kInternal,
                  "encoding the sound");
  media::check_av(av_frame_get_buffer(frame.get(), 0), ErrorCode::kInternal, "encoding the sound");
  if (av_audio_fifo_read(waiting_.get(), reinterpret_cast<void**>(frame->extended_data), samples) <
      samples) {
    throw Error(ErrorCode::kInternal, "encoding the sound: samples are missing");
  }
  frame->pts = position_;
  position_ += samples;
  media::check_av(
      avcodec_send_frame(encoder_.get(), frame.get()), ErrorCode::kInternal, "encoding the sound");
  pass_on();
}

void SoundEncoder::pass_on() {
  while (true) {
    media::PacketPtr packet = media::make_packet();
    const int result = avcodec_receive_packet(encoder_.get(), packet.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
    media::check_av(result, ErrorCode::kInternal, "encoding the sound");
    file_.add(std::move(packet), stream_, encoder_->time_base);
  }
}

}  // namespace vsr::assemble
