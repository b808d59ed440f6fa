#include "sound_retimer.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace vsr::assemble {

namespace {

std::string layout_name(const AVChannelLayout& layout) {
  std::array<char, 128> name{};
  media::check_av(av_channel_layout_describe(&layout, name.data(), name.size()),
                  ErrorCode::kInternal,
                  "naming a channel layout");
  return name.data();
}

class TempoRetimer final : public SoundRetimer {
 public:
  TempoRetimer(const Rational& speed,
               const SoundFormat& from,
               const SoundFormat& to,
               AVSampleFormat sample_format,
               Sink sink)
      : sink_(std::move(sink)), graph_(avfilter_graph_alloc()), frame_(media::make_frame()) {
    if (!graph_) throw Error(ErrorCode::kInternal, "out of memory");
    graph_->nb_threads = 1;
    std::string text = format(
        "abuffer@in=time_base=1/{}:sample_rate={}:sample_fmt=fltp:"
        "channel_layout={}",
        from.rate,
        from.rate,
        layout_name(from.layout));
    text += tempo_filters(speed);
    text += format(",aformat=sample_fmts={}:sample_rates={}:channel_layouts={},abuffersink@out",
                   av_get_sample_fmt_name(sample_format),
                   to.rate,
                   layout_name(to.layout));
    AVFilterInOut* open_inputs = nullptr;
    AVFilterInOut* open_outputs = nullptr;
    const int parsed =
        avfilter_graph_parse2(graph_.get(), text.c_str(), &open_inputs, &open_outputs);
    avfilter_inout_free(&open_inputs);
    avfilter_inout_free(&open_outputs);
    media::check_av(parsed, ErrorCode::kInternal, "setting up the change of tempo");
    media::check_av(avfilter_graph_config(graph_.get(), nullptr),
                    ErrorCode::kInternal,
                    "setting up the change of tempo");
    source_ = avfilter_graph_get_filter(graph_.get(), "abuffer@in");
    sink_end_ = avfilter_graph_get_filter(graph_.get(), "abuffersink@out");
    if (source_ == nullptr || sink_end_ == nullptr) {
      throw Error(ErrorCode::kInternal, "setting up the change of tempo: an end is missing");
    }
  }

  void take(const AVFrame& frame) override {
    const media::FramePtr copy = media::make_frame();
    media::check_av(av_frame_ref(copy.get(), &frame), ErrorCode::kInternal, "changing the tempo");
    copy->pts = taken_;
    taken_ += frame.nb_samples;
    media::check_av(
        av_buffersrc_add_frame(source_, copy.get()), ErrorCode::kInternal, "changing the tempo");
    pass_on();
  }

  void finish() override {
    media::check_av(
        av_buffersrc_add_frame(source_, nullptr), ErrorCode::kInternal, "changing the tempo");
    pass_on();
  }

 private:
  void pass_on() {
    while (true) {
      const int result = av_buffersink_get_frame(sink_end_, frame_.get());
      if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
      media::check_av(result, ErrorCode::kInternal, "changing the tempo");
      sink_(*frame_);
      av_frame_unref(frame_.get());
    }
  }

  Sink sink_;
  media::GraphPtr graph_;
  AVFilterContext* source_ = nullptr;
  AVFilterContext* sink_end_ = nullptr;
  media::FramePtr frame_;
  std::int64_t taken_ = 0;
};

// Samples recorded at `from.rate` are taken to be at from.rate * speed. Only the ratio of the two
// rates matters to the resampler, so it gets both multiplied up to whole numbers: 48000 * 960/1001
// is none, which the filters asetrate and aresample would round.
class PitchRetimer final : public SoundRetimer {
 public:
  PitchRetimer(const Rational& speed,
               const SoundFormat& from,
               const SoundFormat& to,
               AVSampleFormat sample_format,
               Sink sink)
      : sink_(std::move(sink)), to_(to), sample_format_(sample_format) {
    const Rational ratio = Rational(from.rate, to.rate) * speed;
    const std::int64_t scale =
        std::max<std::int64_t>(1, to.rate / std::max(ratio.num(), ratio.den()));
    SwrContext* made = nullptr;
    const int result = swr_alloc_set_opts2(&made,
                                           const_cast<AVChannelLayout*>(&to.layout),
                                           sample_format,
                                           static_cast<int>(ratio.den() * scale),
                                           const_cast<AVChannelLayout*>(&from.layout),
                                           AV_SAMPLE_FMT_FLTP,
                                           static_cast<int>(ratio.num() * scale),
                                           0,
                                           nullptr);
    resampler_.reset(made);
    media::check_av(result, ErrorCode::kInternal, "setting up the resampler");
    av_opt_set_int(made, "filter_size", 64, 0);
    av_opt_set_double(made, "cutoff", 0.98, 0);
    media::check_av(swr_init(resampler_.get()), ErrorCode::kInternal, "setting up the resampler");
  }

  void take(const AVFrame& frame) override {
    convert(const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples);
  }

  void finish() override { convert(nullptr, 0); }

 private:
  void convert(const std::uint8_t** samples, int count) {
    const media::FramePtr frame = media::make_frame();
    frame->format = sample_format_;
    frame->sample_rate = to_.rate;
    frame->nb_samples = std::max(1, swr_get_out_samples(resampler_.get(), count));
    media::check_av(
        av_channel_layout_copy(&frame->ch_layout, &to_.layout), ErrorCode::kInternal, "resampling");
    media::check_av(av_frame_get_buffer(frame.get(), 0), ErrorCode::kInternal, "resampling");
    frame->nb_samples = media::check_av(
        swr_convert(resampler_.get(), frame->extended_data, frame->nb_samples, samples, count),
        ErrorCode::kInternal,
        "resampling");
    if (frame->nb_samples > 0) sink_(*frame);
  }

  Sink sink_;
  SoundFormat to_;
  AVSampleFormat sample_format_;
  media::AvPtr<SwrContext> resampler_;
};

}  // namespace

std::string tempo_filters(const Rational& speed) {
  std::string filters;
  double left = speed.to_double();
  while (left > 2) {
    filters += ",atempo=2";
    left /= 2;
  }
  while (left < 0.5) {
    filters += ",atempo=0.5";
    left *= 2;
  }
  if (left != 1) filters += format(",atempo={}", left);
  return filters;
}

std::unique_ptr<SoundRetimer> make_retimer(AudioVariant variant,
                                           const Rational& speed,
                                           const SoundFormat& from,
                                           const SoundFormat& to,
                                           AVSampleFormat sample_format,
                                           SoundRetimer::Sink sink) {
  if (variant == AudioVariant::kPitchLow) {
    return std::make_unique<PitchRetimer>(speed, from, to, sample_format, std::move(sink));
  }
  return std::make_unique<TempoRetimer>(speed, from, to, sample_format, std::move(sink));
}

}  // namespace vsr::assemble
