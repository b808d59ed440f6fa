// Sound of the source: copied where nothing is retimed, else decoded once and retimed and encoded
// for each variant.
#include "metadata.hpp"
#include "sound_retimer.hpp"
#include "sound_source.hpp"
#include "track.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace vsr::assemble {

namespace {

const Rational kNanosecond(1, 1'000'000'000);
constexpr AVRational kAvNanosecond{1, 1'000'000'000};
// Sound that outlives the picture is kept, but a wrong timestamp must not make hours of silence.
constexpr std::int64_t kLongestTailS = 60;
// Sound that ends this much before the picture is worth a word.
constexpr double kEarlyEndS = 1;

Rational rational(AVRational value) { return {value.num, value.den}; }

void warn_of_early_end(const std::string& name,
                       double end_s,
                       const FilmTimes& times,
                       std::vector<std::string>& warnings) {
  const double picture_s = times.source_length_s.to_double();
  if (end_s < picture_s - kEarlyEndS) {
    warnings.push_back(format("{} ends {:.1f} s before the picture, at {:.1f} s of the source",
                              name,
                              picture_s - end_s,
                              end_s + times.retiming.start_s().to_double()));
  }
}

class CopiedSound final : public Track {
 public:
  CopiedSound(const AVStream& stream,
              std::string name,
              const FilmTimes& times,
              const std::vector<FilmFile>& files)
      : time_base_(rational(stream.time_base)),
        name_(std::move(name)),
        times_(times),
        end_ns_(times.partial ? rescale(1, times.source_length_s, kNanosecond)
                              : std::numeric_limits<std::int64_t>::max()) {
    for (const FilmFile& film : files) {
      AVStream& out = film.file->add_stream();
      media::check_av(avcodec_parameters_copy(out.codecpar, stream.codecpar),
                      ErrorCode::kInternal,
                      "copying stream parameters");
      out.codecpar->codec_tag = 0;  // another container's word
      out.time_base = stream.time_base;
      copy_stream_metadata(stream, out, StreamContent::kCopied);
      outputs_.push_back({film.file.get(), out.index});
    }
  }

  void take(const AVPacket& packet) override {
    const std::int64_t pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
    const std::int64_t duration = std::max<std::int64_t>(0, packet.duration);
    const std::int64_t duration_ns = rescale(duration, time_base_, kNanosecond);
    const std::int64_t begin_ns =
        pts == AV_NOPTS_VALUE ? ahead_ns_ : times_.retiming.place(pts, time_base_, kNanosecond);
    // A packet that reaches into the film stays whole: it cannot be cut.
    const bool before = duration_ns > 0 ? begin_ns + duration_ns <= 0 : begin_ns < 0;
    ahead_ns_ = std::max(ahead_ns_, begin_ns + duration_ns);
    if (before || begin_ns >= end_ns_) return;
    for (const Output& output : outputs_) {
      media::PacketPtr copy(av_packet_clone(&packet));
      if (!copy) throw Error(ErrorCode::kInternal, "out of memory");
      copy->pts = copy->dts = begin_ns;
      copy->duration = duration_ns;
      output.file->add(std::move(copy), output.stream, kAvNanosecond);
    }
  }

  double ahead_s() const override { return static_cast<double>(ahead_ns_) / 1e9; }

  void fill_until(double) override {}

  void finish(std::vector<std::string>& warnings) override {
    warn_of_early_end(name_, ahead_s(), times_, warnings);
  }

 private:
  struct Output {
    OutputFile* file;
    int stream;
  };

  const Rational time_base_;
  const std::string name_;
  const FilmTimes times_;
  const std::int64_t end_ns_;
  std::int64_t ahead_ns_ = 0;
  std::vector<Output> outputs_;
};

class RetimedSound final : public Track {
 public:
  RetimedSound(const AVStream& stream,
               std::string name,
               const FilmTimes& times,
               const SoundPlan& plan,
               const std::vector<FilmFile>& files)
      : name_(std::move(name)),
        times_(times),
        rate_(sound_format(stream).rate),
        out_rate_(plan.format.rate),
        source_(stream,
                {rate_, plan.format.layout},
                times.retiming,
                most_samples(),
                [this](const AVFrame& frame) {
                  for (Output& output : outputs_) output.retimer->take(frame);
                }) {
    for (const FilmFile& film : files) {
      AVStream& out = film.file->add_stream();
      auto encoder = std::make_unique<SoundEncoder>(plan, *film.file, out);
      copy_stream_metadata(stream, out, StreamContent::kRemade);
      SoundEncoder& to = *encoder;
      auto retimer = make_retimer(film.variant,
                                  times.retiming.speed(),
                                  {rate_, plan.format.layout},
                                  plan.format,
                                  plan.sample_format,
                                  [&to](const AVFrame& frame) { to.take(frame); });
      outputs_.push_back({std::move(encoder), std::move(retimer)});
    }
  }

  void take(const AVPacket& packet) override { source_.take(packet); }

  double ahead_s() const override {
    if (source_.full()) return std::numeric_limits<double>::max();
    return static_cast<double>(source_.given()) / rate_;
  }

  void fill_until(double source_s) override {
    // Not past the picture: what comes after it is sound or nothing.
    const double until = std::min(source_s, times_.source_length_s.to_double());
    source_.fill_until(static_cast<std::int64_t>(until * rate_));
  }

  void finish(std::vector<std::string>& warnings) override {
    source_.finish();
    // What the source gave, on the film's clock, to the sample.
    const std::int64_t samples = times_.retiming.stretch_duration(
        source_.given(), Rational(1, rate_), Rational(1, out_rate_));
    for (Output& output : outputs_) {
      output.retimer->finish();
      output.encoder->finish(samples);
    }
    if (source_.damaged_packets() > 0) {
      warnings.push_back(
          format("{}: {} damaged packets were left out", name_, source_.damaged_packets()));
    }
    if (source_.silence_samples() > 0) {
      warnings.push_back(format("{}: holes of {:.2f} s together were filled with silence",
                                name_,
                                static_cast<double>(source_.silence_samples()) / rate_));
    }
    warn_of_early_end(name_, static_cast<double>(source_.last_sound()) / rate_, times_, warnings);
  }

 private:
  struct Output {
    std::unique_ptr<SoundEncoder> encoder;
    std::unique_ptr<SoundRetimer> retimer;
  };

  std::int64_t most_samples() const {
    const std::int64_t picture = rescale(1, times_.source_length_s, Rational(1, rate_));
    return times_.partial ? picture : picture + kLongestTailS * rate_;
  }

  const std::string name_;
  const FilmTimes times_;
  const int rate_;
  const int out_rate_;
  std::vector<Output> outputs_;
  SoundSource source_;
};

}  // namespace

SoundFormat sound_format(const AVStream& stream) {
  SoundFormat format{.rate = stream.codecpar->sample_rate};
  const AVChannelLayout& layout = stream.codecpar->ch_layout;
  if (layout.nb_channels <= 0) return {};
  if (layout.order == AV_CHANNEL_ORDER_NATIVE) {
    format.layout = layout;
  } else {
    av_channel_layout_default(&format.layout, layout.nb_channels);
    // More channels than any usual arrangement has.
    if (format.layout.order != AV_CHANNEL_ORDER_NATIVE) return {};
  }
  return format;
}

bool copies_sound(const AVStream& stream, const Retiming& retiming) {
  return !retiming.changes_speed() && OutputFile::can_hold(stream.codecpar->codec_id);
}

std::unique_ptr<Track> make_copied_sound(const AVStream& stream,
                                         const std::string& name,
                                         const FilmTimes& times,
                                         const std::vector<FilmFile>& files) {
  return std::make_unique<CopiedSound>(stream, name, times, files);
}

std::unique_ptr<Track> make_retimed_sound(const AVStream& stream,
                                          const std::string& name,
                                          const FilmTimes& times,
                                          const SoundPlan& plan,
                                          const std::vector<FilmFile>& files) {
  return std::make_unique<RetimedSound>(stream, name, times, plan, files);
}

}  // namespace vsr::assemble
