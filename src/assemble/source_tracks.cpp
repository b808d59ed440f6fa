#include "source_tracks.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vsr::assemble {

namespace {

constexpr AVRational kMicrosecond{1, 1'000'000};
constexpr double kLatestTimeS = 1e7;          // four months: no film
constexpr std::int64_t kJumpUs = 10'000'000;  // a step that no sound or picture makes
constexpr double kSeekMarginS = 20;           // read before the part wanted, in case

}  // namespace

std::string track_name(const AVStream& stream, int number) {
  const bool sound = stream.codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
  const AVDictionaryEntry* language = av_dict_get(stream.metadata, "language", nullptr, 0);
  return format("{} track {} ({}{}{})",
                sound ? "sound" : "subtitle",
                number,
                avcodec_get_name(stream.codecpar->codec_id),
                language == nullptr ? "" : ", ",
                language == nullptr ? "" : language->value);
}

std::vector<ChosenStream> choose_streams(const AVFormatContext& source,
                                         AVMediaType type,
                                         const StreamChoice& choice,
                                         std::string_view key) {
  std::vector<ChosenStream> all;
  for (unsigned i = 0; i < source.nb_streams; ++i) {
    if (source.streams[i]->codecpar->codec_type == type) {
      all.push_back({static_cast<int>(i), static_cast<int>(all.size())});
    }
  }
  switch (choice.kind) {
    case StreamChoice::Kind::kAll:
      return all;
    case StreamChoice::Kind::kNone:
      return {};
    case StreamChoice::Kind::kFirst:
      if (all.size() > 1) all.resize(1);
      return all;
    case StreamChoice::Kind::kList:
      break;
  }
  std::vector<ChosenStream> chosen;
  for (const int number : choice.list) {
    if (number < 0 || static_cast<std::size_t>(number) >= all.size()) {
      throw Error(ErrorCode::kUsage,
                  format("{}: there is no track {}; the film has {} of this kind, counted from 0",
                         key,
                         number,
                         all.size()));
    }
    const auto same = [&](const ChosenStream& stream) { return stream.number == number; };
    if (std::none_of(chosen.begin(), chosen.end(), same)) {
      chosen.push_back(all[static_cast<std::size_t>(number)]);
    }
  }
  return chosen;
}

SourceTracks::SourceTracks(media::Input& source,
                           const AssembleSpec& spec,
                           const FilmTimes& times,
                           const std::vector<FilmFile>& files,
                           std::vector<std::string>& warnings)
    : source_(source),
      times_(times),
      warnings_(warnings),
      by_stream_(source.format->nb_streams, nullptr),
      packet_(media::make_packet()) {
  add_sound(spec, files);
  add_subtitles(spec, files);
  for (unsigned i = 0; i < source.format->nb_streams; ++i) {
    AVStream& stream = *source.format->streams[i];
    // The picture is read for its times alone: they tell how far the file has been read.
    const bool clock = stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
                       (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) == 0;
    if (by_stream_[i] == nullptr && !clock) stream.discard = AVDISCARD_ALL;
  }
  ended_ = tracks_.empty();
  if (!ended_ && times.partial) seek_near_start();
}

void SourceTracks::add_sound(const AssembleSpec& spec, const std::vector<FilmFile>& files) {
  const auto chosen =
      choose_streams(*source_.format, AVMEDIA_TYPE_AUDIO, spec.audio, "input.audio");
  for (const ChosenStream& choice : chosen) {
    const AVStream& stream = *source_.format->streams[choice.index];
    const std::string name = track_name(stream, choice.number);
    std::unique_ptr<Track> track;
    try {
      if (copies_sound(stream, times_.retiming)) {
        track = make_copied_sound(stream, name, times_, files);
      } else {
        const SoundFormat format = sound_format(stream);
        if (format.rate <= 0) throw Error(ErrorCode::kInput, "its rate or layout is unknown");
        const SoundPlan plan =
            plan_sound(spec.options.audio_codec, spec.options.audio_bitrate, format, name);
        track = make_retimed_sound(stream, name, times_, plan, files);
        warnings_.insert(warnings_.end(), plan.warnings.begin(), plan.warnings.end());
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInput) throw;
      warnings_.push_back(format("{} is left out: {}", name, error.what()));
      continue;
    }
    by_stream_[static_cast<std::size_t>(choice.index)] = track.get();
    tracks_.push_back(std::move(track));
  }
  if (tracks_.empty() && !chosen.empty()) {
    warnings_.push_back(format("{}: the film has no sound that can be used", source_.path));
  }
}

void SourceTracks::add_subtitles(const AssembleSpec& spec, const std::vector<FilmFile>& files) {
  const auto chosen =
      choose_streams(*source_.format, AVMEDIA_TYPE_SUBTITLE, spec.subtitles, "input.subtitles");
  for (const ChosenStream& choice : chosen) {
    const AVStream& stream = *source_.format->streams[choice.index];
    auto track =
        make_subtitles(stream, track_name(stream, choice.number), times_, files, warnings_);
    if (!track) continue;
    by_stream_[static_cast<std::size_t>(choice.index)] = track.get();
    tracks_.push_back(std::move(track));
  }
}

// A preview from the middle of a film need not read what comes before it. Where times may jump
// (broadcast streams), they are only right if all is read.
void SourceTracks::seek_near_start() {
  if ((source_.format->iformat->flags & AVFMT_TS_DISCONT) != 0) return;
  const double target_s = times_.retiming.start_s().to_double() - kSeekMarginS;
  if (target_s <= 0) return;
  const auto target_us = static_cast<std::int64_t>(target_s * 1e6);
  // If it cannot be done, reading from the start gives the same.
  avformat_seek_file(source_.format.get(), -1, INT64_MIN, target_us, target_us, 0);
}

bool SourceTracks::pump_until(double source_s) {
  const auto satisfied = [&] {
    return std::all_of(tracks_.begin(), tracks_.end(), [&](const auto& track) {
      return track->ahead_s() >= source_s;
    });
  };
  // Subtitles never wait by themselves, so the file is read at least as far as the time itself.
  while (!ended_ && (clock_s_ < source_s || !satisfied())) {
    if (clock_s_ >= source_s + kPatienceS) {
      for (const auto& track : tracks_) track->fill_until(source_s);
      return true;
    }
    if (!read()) ended_ = true;
  }
  return !ended_;
}

bool SourceTracks::read() {
  av_packet_unref(packet_.get());
  const int result = media::read_packet(source_, *packet_);
  if (result < 0) {
    if (result != AVERROR_EOF) {
      warnings_.push_back(format("{}: cannot be read past {:.1f} s: {}",
                                 source_.path,
                                 clock_s_ + times_.retiming.start_s().to_double(),
                                 media::av_error_text(result)));
    }
    return false;
  }
  const auto index = static_cast<std::size_t>(packet_->stream_index);
  if (index >= by_stream_.size()) return true;  // a stream that showed up late
  mend_times(*packet_);
  if (by_stream_[index] != nullptr) by_stream_[index]->take(*packet_);
  return !times_.partial || clock_s_ < times_.source_length_s.to_double() + kPatienceS;
}

// Broadcast and DVD streams joined from pieces start their clock anew at each. A step of sound or
// picture that no film makes is taken for that and smoothed out, for all streams from there on.
void SourceTracks::mend_times(AVPacket& packet) {
  const AVStream& stream = *source_.format->streams[packet.stream_index];
  const AVMediaType type = stream.codecpar->codec_type;
  for (std::int64_t* time : {&packet.pts, &packet.dts}) {
    if (*time == AV_NOPTS_VALUE) continue;
    if (std::abs(static_cast<double>(*time) * av_q2d(stream.time_base)) > kLatestTimeS) {
      *time = AV_NOPTS_VALUE;
    }
  }
  const std::int64_t time = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
  const bool steady = type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO;
  if (time != AV_NOPTS_VALUE && steady) {
    std::int64_t us = av_rescale_q(time, stream.time_base, kMicrosecond) + shift_us_;
    if ((source_.format->iformat->flags & AVFMT_TS_DISCONT) != 0 && last_us_ != AV_NOPTS_VALUE &&
        std::llabs(us - last_us_) > kJumpUs) {
      shift_us_ += last_us_ - us;
      us = last_us_;
    }
    last_us_ = us;
    clock_s_ =
        std::max(clock_s_, static_cast<double>(us) / 1e6 - times_.retiming.start_s().to_double());
  }
  if (shift_us_ != 0) {
    const std::int64_t shift = av_rescale_q(shift_us_, kMicrosecond, stream.time_base);
    if (packet.pts != AV_NOPTS_VALUE) packet.pts += shift;
    if (packet.dts != AV_NOPTS_VALUE) packet.dts += shift;
  }
}

void SourceTracks::finish() {
  for (const auto& track : tracks_) track->finish(warnings_);
}

}  // namespace vsr::assemble
