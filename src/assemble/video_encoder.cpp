#include "video_encoder.hpp"

#include "encoder_kinds.hpp"
#include "encoder_params.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vsr::assemble {

namespace {

// Note [Same bytes on any machine]
// Tried with x265 3.5 on one and two processors and with pools of 1 to 64 threads, presets fast to
// slow, with and without tune grain and VBV: what the stream depends on is
//  - whether there is a thread pool at all (without one x265 turns wavefronts and lookahead slices
//    off): so `pools` is set, to the processors this process may use. How many threads the pool
//    has made no difference. A number also works where /sys is missing and x265 cannot count.
//  - frame-threads: 1 and more give different pictures (motion search may not look past the rows
//    that another thread has finished), and left alone it follows the machine's cores: so it is 4,
//    what x265 itself takes on 16 to 31 cores. On fewer it costs some memory, not speed.
//  - wpp and lookahead-slices, which follow from preset and height alone once there is a pool.
//  - info, which writes all settings, the pool's among them, into the stream: so it is 0, and the
//    settings stand in the file's ENCODER_SETTINGS tag instead.
// x264 divides its work by its thread count, so that is fixed too.
// One of many encoders has one of the former and four of the latter.
constexpr const char* kX265FrameThreads = "4";
constexpr int kX264Threads = 12;
constexpr const char* kX265FrameThreadsOfMany = "1";
constexpr int kX264ThreadsOfMany = 4;
constexpr std::int64_t kAfterAnyFilm = 1 << 30;  // a frame number
constexpr int kNvencKeyframes = 250;             // a key picture at least so often, as x265 has it

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kUsage, message); }

const AVCodec& find_encoder(const FinalOptions& options) {
  const AVCodec* codec = avcodec_find_encoder_by_name(options.encoder.c_str());
  if (codec == nullptr) {
    refuse(format("final.encoder={}: this FFmpeg was built without it; libx265 is the usual choice",
                  options.encoder));
  }
  return *codec;
}

// What the encoder is told, "auto" resolved.
struct Settings {
  std::string preset;
  std::string tune;
  EncoderParams params;  // without tune
};

// x265 and x264 know a tune only before all parameters; given among them it would be ignored, so it
// is taken out of `params` here.
Settings settle(const EncoderKind& kind,
                const FinalOptions& wanted,
                std::vector<std::string>& warnings) {
  const auto chosen = [](const std::string& text, const char* usual) {
    return text == "auto" ? std::string(usual) : text;
  };
  Settings settings{chosen(wanted.preset, kind.usual_preset),
                    chosen(wanted.tune, kind.usual_tune),
                    parse_params(chosen(wanted.params, kind.usual_params))};
  refuse_foreign_params(settings.params);
  const auto found = std::find_if(settings.params.begin(),
                                  settings.params.end(),
                                  [](const auto& param) { return param.first == "tune"; });
  if (found == settings.params.end()) return settings;
  const std::string given = found->second;
  if (wanted.tune != "auto" && !wanted.tune.empty() && wanted.tune != given) {
    refuse(
        format("final.params: 'tune={}' contradicts final.tune={}; the encoder would ignore it "
               "among its parameters, so set final.tune alone",
               given,
               wanted.tune));
  }
  settings.params.erase(found);
  settings.tune = given;
  warnings.push_back(
      format("final.params: 'tune={}' was moved to final.tune, since {} ignores it among its "
             "parameters",
             given,
             kind.name));
  return settings;
}

std::string mastering_display_text(const AVMasteringDisplayMetadata& data) {
  const auto part = [](AVRational value, int unit) { return std::llround(av_q2d(value) * unit); };
  const auto point = [&](const AVRational* xy) {
    return format("({},{})", part(xy[0], 50000), part(xy[1], 50000));
  };
  return format("G{}B{}R{}WP{}L({},{})",
                point(data.display_primaries[1]),
                point(data.display_primaries[2]),
                point(data.display_primaries[0]),
                point(data.white_point),
                part(data.max_luminance, 10000),
                part(data.min_luminance, 10000));
}

void add_hdr(const EncoderKind& kind, const HdrMetadata& hdr, EncoderParams& params) {
  const bool x265 = kind.name == "libx265";
  if (!x265 && kind.name != "libx264") return;  // the container has it all the same
  if (hdr.mastering && hdr.mastering->has_primaries && hdr.mastering->has_luminance) {
    add_default(params,
                x265 ? "master-display" : "mastering-display",
                mastering_display_text(*hdr.mastering));
  }
  if (hdr.light) {
    add_default(
        params, x265 ? "max-cll" : "cll", format("{},{}", hdr.light->MaxCLL, hdr.light->MaxFALL));
  }
}

// One try at opening: everything said by `options` but tune and params, which stand apart.
struct Attempt {
  const EncoderKind& kind;
  const AVCodec& codec;
  const VideoTarget& target;
  EncoderThreads threads;
  std::string preset;
  std::optional<double> quality;
  std::string tune;
  EncoderParams params;

  VideoEncoderPtr open(std::string& reason) const;
  // What the encoder's own options are set to, in this order; nothing with the reason why not.
  std::optional<std::vector<std::pair<std::string, std::string>>> list_options(
      std::string& reason) const;

 private:
  bool set_options(AVCodecContext& encoder, std::string& reason) const;
};

std::optional<std::vector<std::pair<std::string, std::string>>> Attempt::list_options(
    std::string& reason) const {
  std::vector<std::pair<std::string, std::string>> list;
  const auto unknown = [&](std::string_view what, const std::string& value) {
    reason = format("Invalid value for {}: {}.", what, value);
    return std::nullopt;
  };
  const auto own = own_preset(kind, preset);
  if (!own) return unknown("preset", preset);
  if (!own->empty()) list.emplace_back("preset", *own);
  EncoderParams all = params;
  if (kind.name == "libsvtav1") {
    if (!tune.empty()) {
      const char* number = svt_tune(tune);
      if (number == nullptr) return unknown("tune", tune);
      add_default(all, "tune", number);
    }
    add_default(all, "lp", std::to_string(threads.count));
  } else if (!tune.empty()) {
    list.emplace_back("tune", tune);
  }
  if (kind.name == "hevc_nvenc") {
    list.emplace_back("profile", "main10");
    if (quality) list.emplace_back("rc", "vbr");
  }
  if (quality) list.emplace_back(kind.quality_option, format("{}", *quality));
  if (kind.params_option == nullptr) {
    list.insert(list.end(), all.begin(), all.end());
    return list;
  }
  if (kind.name == "libx265") {
    add_default(all, "log-level", "none");  // x265 would print to stderr by itself
    add_default(all, "info", "0");
    add_default(
        all, "frame-threads", threads.one_of_many ? kX265FrameThreadsOfMany : kX265FrameThreads);
    add_default(all, "pools", std::to_string(threads.count));
  }
  if (!all.empty()) list.emplace_back(kind.params_option, join_params(all));
  return list;
}

bool Attempt::set_options(AVCodecContext& encoder, std::string& reason) const {
  const auto list = list_options(reason);
  if (!list) return false;
  const media::LogCapture capture;
  for (const auto& [key, value] : *list) {
    const int result = av_opt_set(encoder.priv_data, key.c_str(), value.c_str(), 0);
    if (result >= 0) continue;
    reason = result == AVERROR_OPTION_NOT_FOUND ? format("Unknown option: {}.", key)
                                                : format("Invalid value for {}: {}.", key, value);
    return false;
  }
  return true;
}

VideoEncoderPtr Attempt::open(std::string& reason) const {
  VideoEncoderPtr encoder(avcodec_alloc_context3(&codec));
  if (!encoder) throw Error(ErrorCode::kInternal, "out of memory");
  const PictureFormat picture{
      target.width, target.height, ColourModel::kYuv, ChromaSubsampling::k420, 10};
  encoder->width = target.width;
  encoder->height = target.height;
  encoder->pix_fmt = kind.format;
  encoder->time_base = media::to_av(target.rate.inverse());
  encoder->framerate = media::to_av(target.rate);
  encoder->sample_aspect_ratio = media::to_av(target.sample_aspect);
  encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (kind.name == "libx264") {
    encoder->thread_count = threads.one_of_many ? kX264ThreadsOfMany : kX264Threads;
  }
  if (kind.name == "hevc_nvenc") {
    encoder->gop_size = kNvencKeyframes;
    encoder->bit_rate = 0;  // the quality counts
  }
  media::tag_colour(*encoder, target.colour, picture);
  if (!set_options(*encoder, reason)) return nullptr;
  const media::LogCapture capture;
  const int result = avcodec_open2(encoder.get(), &codec, nullptr);
  // x265, x264 and SVT-AV1 only log what they don't know, and go on.
  for (const std::string& line : capture.lines()) {
    for (const char* sign : {"Unknown option", "Invalid value", "Error parsing option"}) {
      if (const auto at = line.find(sign); at != std::string::npos) {
        reason = line.substr(at);
        return nullptr;
      }
    }
  }
  if (result < 0) {
    reason = capture.lines().empty() ? media::av_error_text(result) : capture.text();
    return nullptr;
  }
  return encoder;
}

// Why `failed` failed: the first of preset, tune, crf and the parameters one by one that alone
// makes opening fail. `given`: the parameters that are not the film's own light levels.
[[noreturn]] void explain(const Attempt& failed,
                          const EncoderParams& given,
                          const std::string& reason) {
  std::string why;
  Attempt attempt{failed.kind, failed.codec, failed.target, failed.threads, {}, {}, {}, {}};
  if (!attempt.open(why)) {
    const bool on_gpu = failed.kind.name == "hevc_nvenc";
    refuse(format("final.encoder={}: cannot be opened for {}x{} here: {}{}",
                  failed.kind.name,
                  failed.target.width,
                  failed.target.height,
                  why,
                  on_gpu ? "; it needs an NVIDIA GPU that has an encoder (A100, H100 and H200 have "
                           "none), libx265 needs no GPU"
                         : ""));
  }
  attempt.preset = failed.preset;
  if (!attempt.open(why)) {
    refuse(format("final.preset={}: {} does not take it; it knows {}",
                  failed.preset,
                  failed.kind.name,
                  failed.kind.presets));
  }
  attempt.tune = failed.tune;
  if (!attempt.open(why)) {
    refuse(format("final.tune={}: {} does not take it; it knows {}, or none",
                  failed.tune,
                  failed.kind.name,
                  failed.kind.tunes));
  }
  attempt.quality = failed.quality;
  if (!attempt.open(why)) {
    refuse(format("final.crf={}: {} does not take it: {}",
                  failed.quality.value_or(0),
                  failed.kind.name,
                  why));
  }
  for (const auto& param : failed.params) {
    attempt.params = {param};
    if (attempt.open(why)) continue;
    if (!has_param(given, param.first)) {
      refuse(
          format("the film's own light levels are wrong: {} does not take '{}={}' ({}); give right "
                 "ones in final.params",
                 failed.kind.name,
                 param.first,
                 param.second,
                 why));
    }
    refuse(format("final.params: {} does not take '{}={}': {}",
                  failed.kind.name,
                  param.first,
                  param.second,
                  why));
  }
  refuse(format("final.params: {} does not take them together: {}", failed.kind.name, reason));
}

}  // namespace

bool copies_video(const FinalOptions& options) { return options.encoder == "copy"; }

Rational final_rate(const AssembleSpec& spec) {
  return spec.options.fps.value_or(spec.timeline_rate);
}

VideoTarget plan_target(const AssembleSpec& spec) {
  const FinalOptions& options = spec.options;
  const PictureFormat& picture = spec.picture;
  if (picture.width < 2 || picture.height < 2) {
    throw Error(ErrorCode::kInternal, format("pictures of {}x{}", picture.width, picture.height));
  }
  VideoTarget target{.rate = final_rate(spec), .colour = spec.colour};
  // RGB mezzanines are of full range whatever the film was; the film is then as from all others.
  if (picture.model == ColourModel::kRgb) target.colour.full_range = false;
  if (options.height < 0 || options.height % 2 != 0) {
    refuse(format("final.height={}: must be even, or native for the network's own height",
                  options.height));
  }
  if (copies_video(options)) {
    if (options.height != 0 && options.height != picture.height) {
      refuse(
          format("final.height={}: final.encoder=copy keeps the mezzanine's {} lines; set "
                 "final.height=native",
                 options.height,
                 picture.height));
    }
    target.width = picture.width;
    target.height = picture.height;
    target.sample_aspect = spec.sample_aspect;
  } else if (options.height == 0) {
    target.width = picture.width - picture.width % 2;
    target.height = picture.height - picture.height % 2;
    target.sample_aspect = spec.sample_aspect;
  } else {
    target.height = options.height;
    const Rational half_width = Rational(picture.width, 1) * spec.sample_aspect *
                                Rational(options.height, std::int64_t{2} * picture.height);
    target.width = 2 * static_cast<int>(rescale(1, half_width, Rational(1, 1)));
    if (target.width < 2 || target.width > 16384) {
      refuse(format(
          "final.height={}: the picture would become {} wide", options.height, target.width));
    }
  }
  // x265's lookahead (3.5 and later) writes past its rows on narrower pictures.
  if (options.encoder == "libx265" && target.width < 64) {
    refuse(
        format("final.encoder=libx265 takes no pictures under 64 wide, this would be {}x{}: "
               "raise final.height, or use libx264",
               target.width,
               target.height));
  }
  return target;
}

PictureFormat final_picture(const FinalOptions& options,
                            const PictureFormat& picture,
                            const Rational& sample_aspect) {
  const VideoTarget target =
      plan_target({.picture = picture, .sample_aspect = sample_aspect, .options = options});
  PictureFormat made = picture;
  made.width = target.width;
  made.height = target.height;
  return made;
}

void CloseVideoEncoder::operator()(AVCodecContext* encoder) const {
  // A context that failed to open has no codec any more.
  if (avcodec_is_open(encoder) != 0 && std::string_view(encoder->codec->name) == "libsvtav1") {
    AVFrame* frame = av_frame_alloc();
    AVPacket* packet = av_packet_alloc();
    if (frame != nullptr && packet != nullptr) {
      frame->format = encoder->pix_fmt;
      frame->width = encoder->width;
      frame->height = encoder->height;
      frame->pts = kAfterAnyFilm;
      if (av_frame_get_buffer(frame, 0) >= 0 && avcodec_send_frame(encoder, frame) >= 0) {
        avcodec_send_frame(encoder, nullptr);
        while (avcodec_receive_packet(encoder, packet) >= 0) av_packet_unref(packet);
      }
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
  }
  avcodec_free_context(&encoder);
}

VideoEncoderPtr open_video_encoder(const FinalOptions& options,
                                   const VideoTarget& target,
                                   const HdrMetadata& hdr,
                                   const EncoderThreads& threads,
                                   std::vector<std::string>& warnings) {
  const EncoderKind& kind = kind_of(options.encoder);
  const AVCodec& codec = find_encoder(options);
  const bool whole = kind.name == "libsvtav1";
  const bool in_range = options.crf >= kind.best_quality && options.crf <= kind.worst_quality;
  if (!in_range || (whole && options.crf != std::floor(options.crf))) {
    refuse(format("final.crf={}: {} takes {}{} to {}",
                  options.crf,
                  kind.name,
                  whole ? "whole numbers from " : "",
                  kind.best_quality,
                  kind.worst_quality));
  }
  const Settings settings = settle(kind, options, warnings);
  EncoderParams params = settings.params;
  add_hdr(kind, hdr, params);
  // SVT-AV1 prints to stderr whatever it is told; only its environment makes it say errors alone.
  if (kind.name == "libsvtav1") setenv("SVT_LOG", "1", 0);
  Attempt attempt{
      .kind = kind,
      .codec = codec,
      .target = target,
      .threads = {threads.count > 0 ? threads.count : usable_cpus(), threads.one_of_many},
      .preset = settings.preset,
      .quality = options.crf,
      .tune = settings.tune,
      .params = params};
  std::string reason;
  VideoEncoderPtr encoder = attempt.open(reason);
  if (!encoder) explain(attempt, settings.params, reason);
  return encoder;
}

std::vector<std::pair<std::string, std::string>> encoder_options(const FinalOptions& options,
                                                                 const EncoderThreads& threads) {
  const EncoderKind& kind = kind_of(options.encoder);
  std::vector<std::string> told;  // when the encoder was opened
  const Settings settings = settle(kind, options, told);
  const VideoTarget any;
  const Attempt attempt{.kind = kind,
                        .codec = find_encoder(options),
                        .target = any,
                        .threads = threads,
                        .preset = settings.preset,
                        .quality = options.crf,
                        .tune = settings.tune,
                        .params = settings.params};
  std::string reason;
  const auto list = attempt.list_options(reason);
  if (!list) refuse(reason);
  return *list;
}

std::string describe_encoder(const FinalOptions& options) {
  std::vector<std::string> told;  // when the encoder was opened
  const Settings settings = settle(kind_of(options.encoder), options, told);
  std::string text = format("{} preset={} crf={}", options.encoder, settings.preset, options.crf);
  if (!settings.tune.empty()) text += " tune=" + settings.tune;
  for (const auto& [key, value] : settings.params) text += format(" {}={}", key, value);
  return text;
}

}  // namespace vsr::assemble
