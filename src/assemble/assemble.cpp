// The story of the final assembly: check, open, describe the streams, then go through the picture
// once while sound and subtitles are read in step with it.
#include "vsr/assemble/assemble.hpp"

#include "media/input.hpp"
#include "metadata.hpp"
#include "source_tracks.hpp"
#include "video_encoder.hpp"
#include "video_stream.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <memory>

namespace vsr::assemble {

namespace {

// Sound and subtitles are read this far ahead of the picture, for what their encoders hold back.
constexpr double kReadAheadS = 2;

Retiming retiming_of(const AssembleSpec& spec) {
  return {spec.start_time_s, final_rate(spec) / spec.timeline_rate};
}

void check_rates(const AssembleSpec& spec) {
  if (spec.timeline_rate.num() <= 0) throw Error(ErrorCode::kInternal, "no timeline rate");
  const Rational rate = final_rate(spec);
  if (rate.num() <= 0) throw Error(ErrorCode::kUsage, "final.fps must be above 0");
  const double speed = (rate / spec.timeline_rate).to_double();
  if (speed < 0.1 || speed > 10) {
    throw Error(ErrorCode::kUsage,
                format("final.fps={} would play the film at {} frames a second {:.3g} times as "
                       "fast; 0.1 to 10 is possible",
                       to_string(rate),
                       to_string(spec.timeline_rate),
                       speed));
  }
  if (spec.options.fps && spec.options.variants.empty() && retiming_of(spec).changes_speed()) {
    throw Error(ErrorCode::kUsage, "final.variants: choose pitchOK, pitchLOW or both");
  }
}

// Every chosen sound track that will be encoded is tried with its encoder.
void check_sound(const AssembleSpec& spec, const media::Input& source) {
  find_sound_encoder(spec.options.audio_codec);
  const Retiming retiming = retiming_of(spec);
  const auto chosen = choose_streams(*source.format, AVMEDIA_TYPE_AUDIO, spec.audio, "input.audio");
  for (const ChosenStream& choice : chosen) {
    const AVStream& stream = *source.format->streams[choice.index];
    const SoundFormat format = sound_format(stream);
    if (copies_sound(stream, retiming) || format.rate <= 0) continue;
    open_sound_encoder(plan_sound(spec.options.audio_codec,
                                  spec.options.audio_bitrate,
                                  format,
                                  track_name(stream, choice.number)));
  }
  choose_streams(*source.format, AVMEDIA_TYPE_SUBTITLE, spec.subtitles, "input.subtitles");
}

std::vector<FilmFile> create_files(const AssembleSpec& spec, bool retimed) {
  make_directories(spec.out_dir);
  std::vector<FilmFile> files;
  const auto create = [&](AudioVariant variant, const std::string& name) {
    files.push_back({variant, std::make_unique<OutputFile>(spec.out_dir / (name + ".mkv"))});
  };
  if (!retimed) {
    create(AudioVariant::kPitchOk, spec.name);
    return files;
  }
  for (const AudioVariant variant : spec.options.variants) {
    const auto same = [&](const FilmFile& film) { return film.variant == variant; };
    if (std::none_of(files.begin(), files.end(), same)) {
      create(variant, spec.name + "_" + to_string(variant));
    }
  }
  return files;
}

bool chunks(const AssembleSpec& spec) { return spec.codec == media::MezzanineCodec::kNone; }

void add_video(const AssembleSpec& spec,
               const VideoTarget& target,
               const VideoStream& video,
               const HdrMetadata& hdr,
               const AVStream& source,
               OutputFile& file) {
  AVStream& out = file.add_stream();
  media::check_av(avcodec_parameters_copy(out.codecpar, &video.parameters()),
                  ErrorCode::kInternal,
                  "describing the video stream");
  if (chunks(spec)) out.codecpar->codec_tag = 0;  // of their own container
  const bool copied = copies_video(spec.options);
  const PictureFormat picture =
      copied ? spec.picture
             : PictureFormat{
                   target.width, target.height, ColourModel::kYuv, ChromaSubsampling::k420, 10};
  media::tag_colour(*out.codecpar, target.colour, picture);
  out.time_base = media::to_av(target.rate.inverse());
  out.avg_frame_rate = out.r_frame_rate = media::to_av(target.rate);
  out.sample_aspect_ratio = media::to_av(target.sample_aspect);
  out.codecpar->sample_aspect_ratio = out.sample_aspect_ratio;
  out.codecpar->field_order = AV_FIELD_PROGRESSIVE;
  copy_stream_metadata(source, out, StreamContent::kRemade);
  if (!copied) {
    av_dict_set(&out.metadata, "ENCODER_SETTINGS", describe_encoder(spec.options).c_str(), 0);
  }
  if (hdr.mastering) {
    media::add_stream_side_data(
        out,
        AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
        {reinterpret_cast<const std::uint8_t*>(&*hdr.mastering), sizeof(*hdr.mastering)});
  }
  if (hdr.light) {
    media::add_stream_side_data(
        out,
        AV_PKT_DATA_CONTENT_LIGHT_LEVEL,
        {reinterpret_cast<const std::uint8_t*>(&*hdr.light), sizeof(*hdr.light)});
  }
}

}  // namespace

void validate(const AssembleSpec& spec) {
  check_rates(spec);
  const VideoTarget target = plan_target(spec);
  if (copies_video(spec.options)) {
    if (spec.codec == media::MezzanineCodec::kPng) {
      throw Error(ErrorCode::kUsage,
                  "final.encoder=copy: pictures of segment.codec=png cannot be joined into a film; "
                  "choose prores, dnxhr or ffv1");
    }
  } else {
    std::vector<std::string> warnings;
    const HdrMetadata hdr = read_hdr(spec.source.string(), spec.colour);
    open_video_encoder(spec.options, target, hdr, {spec.threads, spec.one_of_many}, warnings);
  }
  check_sound(spec, media::open_input(spec.source.string(), media::Search::kThorough));
}

AssembleResult assemble(const AssembleSpec& spec,
                        const std::function<bool(std::int64_t)>& progress) {
  check_rates(spec);
  AssembleResult result;
  const std::int64_t frames = count_frames(spec);
  const VideoTarget target = plan_target(spec);
  const FilmTimes times{retiming_of(spec), Rational(frames, 1) / spec.timeline_rate, spec.partial};
  media::Input source = media::open_input(spec.source.string(), media::Search::kThorough);
  const AVStream& film = media::film_stream(source);
  const HdrMetadata hdr = read_hdr(spec.source.string(), spec.colour);

  const std::vector<FilmFile> files = create_files(spec, times.retiming.changes_speed());
  const std::unique_ptr<VideoStream> video =
      copies_video(spec.options) || chunks(spec)
          ? join_video(spec)
          : encode_video(spec, target, hdr, frames, result.warnings);
  for (const FilmFile& out : files) add_video(spec, target, *video, hdr, film, *out.file);
  SourceTracks tracks(source, spec, times, files, result.warnings);
  for (const FilmFile& out : files) {
    copy_attachments(*source.format, *out.file);
    copy_film_metadata(*source.format, out.file->format());
    copy_chapters(*source.format, out.file->format(), times);
    out.file->write_header();
  }

  const AVRational frame_time = media::to_av(target.rate.inverse());
  const double source_s_per_frame = spec.timeline_rate.inverse().to_double();
  const media::PacketPtr packet = media::make_packet();
  while (video->read(*packet)) {
    const std::int64_t frame = packet->dts;
    tracks.pump_until(static_cast<double>(frame) * source_s_per_frame + kReadAheadS);
    for (const FilmFile& out : files) {
      media::PacketPtr copy(av_packet_clone(packet.get()));
      if (!copy) throw Error(ErrorCode::kInternal, "out of memory");
      out.file->add(std::move(copy), 0, frame_time);
      out.file->write_until(rescale(frame, target.rate.inverse(), Rational(1, 1'000'000'000)) + 1);
    }
    ++result.frames;
    if (progress && !progress(result.frames)) {
      throw Error(ErrorCode::kInterrupted,
                  "the final encode was stopped; it starts over next time");
    }
  }
  // What the source has after the picture, bit by bit, so that no more waits than before.
  double source_s = static_cast<double>(frames) * source_s_per_frame + kReadAheadS;
  while (tracks.pump_until(source_s)) {
    const Rational film_s = times.retiming.stretch();
    for (const FilmFile& out : files) {
      out.file->write_until(
          static_cast<std::int64_t>((source_s - kReadAheadS) * film_s.to_double() * 1e9));
    }
    source_s += kReadAheadS;
  }
  tracks.finish();
  for (const FilmFile& out : files) {
    out.file->finish();
    result.files.push_back(out.file->path());
  }
  return result;
}

}  // namespace vsr::assemble
