#include "planning.hpp"

#include "embedded_model.hpp"
#include "roles.hpp"
#include "version.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/job/job_file.hpp"
#include "vsr/media/filter_graph.hpp"
#include "vsr/media/scene_cuts.hpp"
#include "vsr/media/segment_writer.hpp"
#include "vsr/model/tiling.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

// Shares of what is free that a window may take. Decoder and encoder share the host's memory.
constexpr double kGpuShare = 0.85;
constexpr double kHostShare = 0.5;

// Whether what the segments hold depends on the key in this job.
bool shapes_segments(const Job& job, const std::string& key) {
  if (job.segment.codec == SegmentCodec::kNone && changes_film_picture(key)) return true;
  if (job.segment.size == SegmentSize::kFinal && key == "final.height") return true;
  return changes_segments(key);
}

std::map<std::string, std::string> identity_of(const Job& job,
                                               const std::string& input_fingerprint,
                                               const std::string& model_sha256) {
  std::map<std::string, std::string> identity;
  for (const auto& [key, value] : job_values(job)) {
    if (shapes_segments(job, key)) identity[key] = value;
  }
  // Files count by content: moving a film does not make it another one.
  identity.erase("input.file");
  identity.erase("model.checkpoint");
  identity["input"] = input_fingerprint;
  identity["model"] = model_sha256;
  return identity;
}

void refuse_differences(const std::vector<std::string>& lines, const std::string& directory) {
  if (lines.empty()) return;
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
  throw Error(ErrorCode::kUsage,
              format("{} holds a run of another job: {}. Give another run.dir, or --fresh to start "
                     "over",
                     directory,
                     text));
}

double pixels(const PictureFormat& picture) {
  return static_cast<double>(picture.width) * picture.height;
}

// Of a film that is encoded: what the shipped clip takes at crf 16. Six more halve it, about.
double film_frame_bytes(const Job& job, const store::Plan& plan) {
  const bool scaled = job.final.height > 0 && job.segment.size == SegmentSize::kFull;
  const PictureFormat picture =
      scaled ? assemble::final_picture(job.final, plan.picture, plan.sample_aspect) : plan.picture;
  return 0.06 * std::exp2((16 - job.final.crf) / 6) * pixels(picture);
}

// Progress of a pass over the film: told every so many pictures, ended by a stop.
std::function<bool(std::int64_t)> telling(const char* what,
                                          std::int64_t every,
                                          const std::atomic<int>& stop) {
  return [what, every, &stop, told = std::int64_t{0}](std::int64_t pictures) mutable {
    if (pictures >= told + every) {
      log::info("media", "{} {}", pictures, what);
      told = pictures;
    }
    return stop.load() == 0;
  };
}

media::Timeline decode_once(const Job& job,
                            const media::SourceInfo& source,
                            const fs::path& mezzanine,
                            const std::string& why,
                            const std::atomic<int>& stop) {
  log::info("media", "decoding the film once into {}: {}", mezzanine.string(), why);
  return media::write_mezzanine(
      source, timeline_options(job, source), mezzanine, telling("frames decoded", 1000, stop));
}

// As it stands in a plan: the film is named by nothing, a file in the run directory by its name.
std::string stored_form(media::Timeline timeline) {
  timeline.source = timeline.own_mezzanine ? fs::path(timeline.source).filename().string() : "";
  return timeline.serialize();
}

// What a window may take: a share of what the smallest rank has free, of GPU or host memory.
std::uint64_t memory_for_windows(const std::vector<Resources>& ranks, bool gpu) {
  std::uint64_t room = 0;
  for (const Resources& rank : ranks) {
    const double bytes = gpu ? kGpuShare * static_cast<double>(rank.gpu_free_bytes)
                             : kHostShare * static_cast<double>(rank.host_bytes);
    if (bytes <= 0) continue;  // a rank without a GPU beside ranks that have one
    const auto own = static_cast<std::uint64_t>(bytes);
    room = room == 0 ? own : std::min(room, own);
  }
  return room;
}

// Memory for a window: the network's device's, and the host's for features that are kept there.
struct Room {
  std::uint64_t device = 0;
  std::uint64_t host = 0;
};

// The longest window in such tiles, up to `longest` frames, that `room` holds; 0: none.
int frames_held(const model::NetworkShape& network,
                model::UpscalerOptions options,
                const TileSize& tile,
                int longest,
                const Room& room) {
  options.tile = tile;
  int low = 0;
  int high = longest;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (model::Upscaler::window_bytes(network, options, middle) <= room.device &&
        model::Upscaler::host_bytes(network, options, middle) <= room.host) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// Why `room` holds no window of one frame.
Error no_room_for_one(const model::NetworkShape& network,
                      const model::UpscalerOptions& options,
                      const Room& room,
                      const std::string& advice) {
  const bool cuda = options.device.cuda;
  const std::uint64_t needed = model::Upscaler::window_bytes(network, options, 1);
  const std::string smaller = "make the picture smaller with preprocess.width and height" + advice;
  if (needed > room.device) {
    return Error(cuda ? ErrorCode::kGpu : ErrorCode::kUsage,
                 format("{} of {} memory do not hold one frame of {} in this network ({}): {}",
                        size_text(static_cast<double>(room.device)),
                        cuda ? "GPU" : "host",
                        to_string(options.input),
                        size_text(static_cast<double>(needed)),
                        smaller));
  }
  return Error(
      ErrorCode::kUsage,
      format("{} of host memory do not hold the features of one frame of {} ({}): set "
             "stream.features = device, or {}",
             size_text(static_cast<double>(room.host)),
             to_string(options.input),
             size_text(static_cast<double>(model::Upscaler::host_bytes(network, options, 1))),
             smaller));
}

PlanOptions segments_asked(const Job& job) { return {job.segment.frames, job.stream.overlap}; }

std::vector<std::int64_t> look_for_cuts(const Job& job,
                                        const media::SourceInfo& source,
                                        const media::Timeline& timeline,
                                        const std::atomic<int>& stop) {
  if (!job.segment.scene_cuts) return {};
  const auto places = scene_cut_places(timeline.frames(), segments_asked(job));
  if (places.empty()) return {};
  auto cuts = media::find_scene_cuts(timeline,
                                     source.video.format,
                                     places,
                                     0,
                                     telling("frames looked at for scene cuts", 10'000, stop));
  log::info(
      "media", "{} of {} ends between segments lie at a scene cut", cuts.size(), places.size());
  return cuts;
}

store::Plan make_plan(const Job& job,
                      const media::Timeline& timeline,
                      const model::NetworkShape& network,
                      const std::map<std::string, std::string>& identity,
                      const std::vector<Resources>& ranks,
                      const std::vector<std::int64_t>& scene_cuts = {}) {
  model::UpscalerOptions options =
      upscaler_options(job, timeline, choose_device(job.stream.device, 0));
  store::Plan plan;
  plan.identity = identity;
  plan.timeline_frames = timeline.frames();
  plan.segments = plan_segments(timeline.frames(), segments_asked(job), scene_cuts);
  plan.timeline_rate = timeline.rate;
  plan.overlap = job.stream.overlap;
  plan.picture = media::mezzanine_format(codec_of(job.segment.codec),
                                         timeline.format.width * network.scale(),
                                         timeline.format.height * network.scale());
  plan.sample_aspect = timeline.sample_aspect;
  if (job.segment.size == SegmentSize::kFinal && job.final.height > 0) {
    plan.picture = assemble::final_picture(job.final, plan.picture, plan.sample_aspect);
    plan.sample_aspect = Rational(1, 1);
  }
  media::check_mezzanine(codec_of(job.segment.codec), plan.picture);
  plan.colour = options.output_colour;
  set_output(options, job, network, plan.picture);
  std::int64_t segment_frames = 0;
  for (const Segment& segment : plan.segments) {
    segment_frames = std::max(segment_frames, segment.input.size());
  }
  const WindowSize window =
      choose_window(job, network, options, segment_frames, upscaling(job, ranks));
  plan.max_seq_len = window.max_seq_len;
  plan.tile = window.tile;
  plan.timeline = stored_form(timeline);
  plan.created = utc_now();
  plan.host = host_name();
  plan.program_version = program_version();
  return plan;
}

// Whether the job knows better than the film's tag what its matrix is.
bool corrects_tag(const Job& job, const media::SourceInfo& source) {
  const auto& matrix = job.preprocess.matrix_in;
  return matrix && source.video.matrix_tagged && *matrix != source.video.colour.matrix &&
         source.video.format.model == ColourModel::kYuv;
}

// Film and plan before anything is written. `why_decode`: why the film has to be decoded once into
// a lossless file; the timeline is an estimate then.
Prepared draft(const Job& job,
               const Ingredients& ingredients,
               const std::vector<Resources>& ranks,
               const std::function<bool(std::int64_t)>& progress,
               std::optional<std::string>& why_decode) {
  const auto planned =
      media::plan_timeline(ingredients.source, timeline_options(job, ingredients.source), progress);
  for (const std::string& warning : planned.warnings) log::warning("media", "{}", warning);
  if (corrects_tag(job, ingredients.source)) {
    const std::string tag = to_string(ingredients.source.video.colour.matrix);
    const std::string said = to_string(*job.preprocess.matrix_in);
    if (job.preprocess.filters.empty()) {
      log::warning("media",
                   "the film is tagged {}, and taken for {}, as preprocess.matrix_in says",
                   tag,
                   said);
    } else {
      log::warning("media",
                   "the film is tagged {}; preprocess.matrix_in = {} does not reach the pictures "
                   "of preprocess.filters: put setparams=colorspace=... in front there",
                   tag,
                   said);
    }
  }
  if (planned.needs_mezzanine) why_decode = planned.why;
  const model::NetworkShape& network = ingredients.checkpoint.shape();
  return {.source = ingredients.source,
          .timeline = planned.timeline,
          .plan = make_plan(job, planned.timeline, network, ingredients.identity, ranks),
          .network = network};
}

// By the plan of a run that was begun.
Prepared of_plan(const Job& job,
                 const Ingredients& ingredients,
                 const store::RunDirectory& directory,
                 store::Plan plan) {
  refuse_differences(store::differences(plan.identity, ingredients.identity),
                     directory.root().string());
  return {.source = ingredients.source,
          .timeline = timeline_of(plan, job, directory),
          .plan = std::move(plan),
          .network = ingredients.checkpoint.shape()};
}

}  // namespace

bool changes_film_picture(const std::string& key) {
  return changes_final(key) && key != "final.variants" && !key.starts_with("final.audio_") &&
         key.starts_with("final.");
}

model::DeviceSpec choose_device(DeviceChoice choice, int local_rank) {
  const int gpus = choice == DeviceChoice::kCpu ? 0 : gpu::device_count();
  if (gpus > 0) return {.cuda = true, .index = local_rank % gpus};
  if (choice == DeviceChoice::kCuda) {
    throw Error(
        ErrorCode::kGpu,
        format("stream.device = cuda, but there is no GPU to use: {}", gpu::unavailable_reason()));
  }
  return {};
}

media::DecodeDevice decode_device(const StreamOptions& stream, int local_rank) {
  if (stream.decode == DecodeChoice::kCpu) return {};
  const int gpus = gpu::device_count();
  if (gpus == 0) {
    throw Error(ErrorCode::kGpu,
                format("stream.decode = nvdec, but there is no GPU to use: {}; set stream.decode = "
                       "cpu",
                       gpu::unavailable_reason()));
  }
  const int index = local_rank % gpus;
  return {
      .nvdec = true, .gpu = index, .cuda_context = gpu::driver_context(index), .stay_on_gpu = true};
}

void check_decoding(const Job& job,
                    const media::Timeline& timeline,
                    const std::optional<std::string>& why_decode) {
  if (job.stream.decode == DecodeChoice::kCpu) return;
  if (timeline.own_mezzanine || why_decode) {
    throw Error(ErrorCode::kUsage,
                format("stream.decode = nvdec: this film is read from a lossless copy{}, which no "
                       "GPU decodes; set stream.decode = cpu",
                       why_decode ? format(" ({})", *why_decode) : std::string()));
  }
  media::check_nvdec(timeline, decode_device(job.stream, 0));
}

media::MezzanineCodec codec_of(SegmentCodec codec) {
  switch (codec) {
    case SegmentCodec::kProres:
      return media::MezzanineCodec::kProres;
    case SegmentCodec::kDnxhr:
      return media::MezzanineCodec::kDnxhr;
    case SegmentCodec::kFfv1:
      return media::MezzanineCodec::kFfv1;
    case SegmentCodec::kPng:
      return media::MezzanineCodec::kPng;
    case SegmentCodec::kNone:
      return media::MezzanineCodec::kNone;
  }
  throw Error(ErrorCode::kInternal, "unknown mezzanine codec");
}

std::string describe_segments(const Job& job) {
  return job.segment.codec == SegmentCodec::kNone ? "chunks for " + job.final.encoder
                                                  : to_string(job.segment.codec) + " mezzanines";
}

ColourDescription mezzanine_colour(const Job& job, const media::Timeline& timeline) {
  ColourDescription colour = timeline.colour;
  colour.full_range = job.segment.codec == SegmentCodec::kPng;
  // 4:2:2 and 4:2:0 as MPEG-2 and all after it have them.
  colour.siting = ChromaSiting::kLeft;
  return colour;
}

model::UpscalerOptions upscaler_options(const Job& job,
                                        const media::Timeline& timeline,
                                        const model::DeviceSpec& device) {
  const PictureFormat output = media::mezzanine_format(
      codec_of(job.segment.codec), timeline.format.width, timeline.format.height);
  model::UpscalerOptions options;
  options.device = device;
  // Half types are slower on a CPU than what they replace.
  options.precision = device.cuda ? job.model.precision : Precision::kFp32;
  options.backend = job.model.backend;
  options.host_features = job.stream.features == FeatureMemory::kHost;
  options.input = timeline.format;
  options.input_colour = timeline.colour;
  options.output_model = output.model;
  options.output_subsampling = output.subsampling;
  options.output_bit_depth = output.bit_depth;
  options.output_colour = mezzanine_colour(job, timeline);
  return options;
}

void set_output(model::UpscalerOptions& options,
                const Job& job,
                const model::NetworkShape& network,
                const PictureFormat& picture) {
  options.output_width = picture.width;
  options.output_height = picture.height;
  const bool fused = model::Upscaler::backend_for(network, options) == Backend::kFused;
  const bool scaled = picture.width != options.input.width * network.scale() ||
                      picture.height != options.input.height * network.scale();
  constexpr const char* kNeeds =
      "needs the fused network: a GPU, model.precision = fp16 or bf16, model.backend = auto";
  if (scaled && !fused) {
    throw Error(ErrorCode::kUsage, format("segment.size=final {}", kNeeds));
  }
  if (options.host_features && !fused) {
    throw Error(ErrorCode::kUsage,
                format("stream.features=host {}; or set stream.features=device", kNeeds));
  }
  const bool prores = job.segment.codec == SegmentCodec::kProres;
  if (job.segment.encoder == SegmentEncoder::kGpu && !(fused && prores)) {
    throw Error(ErrorCode::kUsage,
                prores ? format("segment.encoder=gpu {}", kNeeds)
                       : std::string("segment.encoder=gpu encodes ProRes only: set "
                                     "segment.codec=prores"));
  }
  options.prores_packets = fused && prores && job.segment.encoder != SegmentEncoder::kCpu;
}

media::Timeline timeline_of(const store::Plan& plan,
                            const Job& job,
                            const store::RunDirectory& directory) {
  media::Timeline timeline = media::Timeline::deserialize(plan.timeline);
  timeline.source =
      timeline.source.empty() ? job.input.file : (directory.root() / timeline.source).string();
  return timeline;
}

int longest_window(int segment_frames, int overlap, bool packets) {
  return std::max(48, segment_frames / (packets ? 4 : 8)) + 2 * overlap;
}

WindowSize choose_window(const Job& job,
                         const model::NetworkShape& network,
                         const model::UpscalerOptions& options,
                         std::int64_t segment_frames,
                         const std::vector<Resources>& ranks) {
  const bool cuda = options.device.cuda;
  const int overlap = job.stream.overlap;
  const bool asked = job.stream.max_seq_len > 0;
  const int longest = static_cast<int>(std::min<std::int64_t>(
      asked ? job.stream.max_seq_len
            : longest_window(job.segment.frames, overlap, options.prores_packets),
      segment_frames));
  const Room room{memory_for_windows(ranks, cuda), memory_for_windows(ranks, false)};
  const auto frames_of = [&](const TileSize& tile) {
    return frames_held(network, options, tile, longest, room);
  };
  // Shorter ones have nothing between two overlaps, or are not what was asked for.
  const int least = asked ? longest : std::min(longest, 2 * overlap + 1);
  const TileChoice& choice = job.stream.tile;
  WindowSize best;
  if (choice.kind == TileChoice::Kind::kSize) {
    const TileSize tile{choice.width, choice.height, job.stream.tile_overlap};
    if (model::tiling_of(network, options.input, tile).count() > 1) best.tile = tile;
  }
  best.max_seq_len = frames_of(best.tile);
  if (choice.kind == TileChoice::Kind::kAuto && best.max_seq_len < least) {
    double least_work = std::numeric_limits<double>::infinity();
    for (const TileSize& tile :
         model::tile_sizes(network, options.input, job.stream.tile_overlap)) {
      const int frames = frames_of(tile);
      // Frames computed for one that is given, unless one window sees the segment.
      const double again = frames >= segment_frames
                               ? 1.0
                               : static_cast<double>(frames) / std::max(1, frames - 2 * overlap);
      const double work = again * model::tiling_of(network, options.input, tile).work();
      const bool better = best.max_seq_len < least ? frames > best.max_seq_len
                                                   : frames >= least && work < least_work;
      if (!better) continue;
      best = {frames, tile};
      least_work = work;
    }
  }
  if (asked) {
    best.max_seq_len = longest;
    return best;
  }
  if (best.max_seq_len < 1) {
    model::UpscalerOptions one = options;
    one.tile = best.tile;
    throw no_room_for_one(
        network,
        one,
        room,
        choice.kind == TileChoice::Kind::kAuto ? "" : ", or set stream.tile = auto");
  }
  if (best.max_seq_len < least) {
    log::warning("launcher",
                 "memory holds windows of {} frames only: the overlap of {} frames is cut short",
                 best.max_seq_len,
                 overlap);
  }
  return best;
}

media::TimelineOptions timeline_options(const Job& job, const media::SourceInfo& source) {
  const PreprocessOptions& pre = job.preprocess;
  media::TimelineOptions options;
  options.fps = pre.fps;
  options.matrix = pre.matrix_in;
  options.start_s = job.input.start_s;
  options.end_s = job.input.end_s;
  switch (pre.mezzanine) {
    case MezzanineMode::kAuto:
      options.mezzanine = media::TimelineOptions::Mezzanine::kAuto;
      break;
    case MezzanineMode::kNever:
      options.mezzanine = media::TimelineOptions::Mezzanine::kNever;
      break;
    case MezzanineMode::kAlways:
      options.mezzanine = media::TimelineOptions::Mezzanine::kAlways;
      break;
  }
  if (!pre.filters.empty()) {
    options.filters = pre.filters;
    return options;
  }
  using Spec = media::FilterGraphSpec;
  Spec spec;
  const media::FieldOrder order = source.video.field_order;
  const bool interlaced =
      order == media::FieldOrder::kTopFirst || order == media::FieldOrder::kBottomFirst;
  if (pre.deinterlace == Deinterlace::kBwdif) spec.deinterlace = Spec::Deinterlace::kAll;
  // By the stream's word: only the frames that it flags.
  if (pre.deinterlace == Deinterlace::kAuto && interlaced) {
    spec.deinterlace = Spec::Deinterlace::kFlagged;
  }
  if (pre.parity == FieldParity::kTop) spec.parity = Spec::Parity::kTop;
  if (pre.parity == FieldParity::kBottom) spec.parity = Spec::Parity::kBottom;
  spec.width = pre.width;
  spec.height = pre.height;
  // Who names a size means square pixels.
  if (pre.width > 0) spec.sample_aspect = Rational(1, 1);
  if (pre.matrix_out || corrects_tag(job, source)) spec.matrix_in = pre.matrix_in;
  spec.matrix_out = pre.matrix_out;
  if (pre.crop) spec.crop = Spec::Crop{pre.crop->width, pre.crop->height, pre.crop->x, pre.crop->y};
  options.filters = media::make_filter_graph(spec);
  return options;
}

Ingredients look_at(const Job& job) {
  media::SourceInfo source = media::probe(job.input.file);
  auto checkpoint = read_checkpoint(job.model.checkpoint);
  auto identity = identity_of(job, media::fingerprint(job.input.file), checkpoint.sha256());
  return {std::move(source), std::move(checkpoint), std::move(identity)};
}

Ingredients look_at_film(const Job& job) {
  media::SourceInfo source = media::probe(job.input.file);
  auto identity = identity_of(job, media::fingerprint(job.input.file), "");
  return {.source = std::move(source), .checkpoint = {}, .identity = std::move(identity)};
}

std::optional<Prepared> prepare_to_encode(const Job& job,
                                          Ingredients film,
                                          const store::RunDirectory& directory) {
  auto plan = directory.read_plan();
  if (!plan) return std::nullopt;
  film.identity["model"] = plan->identity["model"];
  return of_plan(job, film, directory, std::move(*plan));
}

Prepared prepare(const Job& job,
                 const Ingredients& ingredients,
                 const store::RunDirectory& directory,
                 const std::vector<Resources>& ranks,
                 const std::function<void(const Prepared&)>& check,
                 const std::atomic<int>& stop) {
  const fs::path mezzanine = directory.timeline_mezzanine();
  const auto& identity = ingredients.identity;
  if (auto plan = directory.read_plan()) {
    Prepared prepared = of_plan(job, ingredients, directory, std::move(*plan));
    check(prepared);
    check_decoding(job, prepared.timeline, std::nullopt);
    std::error_code gone;
    const std::uintmax_t bytes = fs::file_size(mezzanine, gone);
    if (prepared.timeline.own_mezzanine && (gone || bytes != prepared.timeline.source_bytes)) {
      prepared.timeline =
          decode_once(job, prepared.source, mezzanine, gone ? "it is gone" : "it was cut", stop);
      if (stored_form(prepared.timeline) != prepared.plan.timeline) {
        throw Error(ErrorCode::kStorage,
                    format("{} came out otherwise than when the plan was made, with other versions "
                           "of the libraries perhaps: --fresh starts over",
                           mezzanine.string()));
      }
    }
    return prepared;
  }
  std::optional<std::string> why_decode;
  Prepared prepared = draft(job,
                            ingredients,
                            ranks,
                            telling("pictures of the film looked at", 100'000, stop),
                            why_decode);
  check(prepared);
  check_decoding(job, prepared.timeline, why_decode);
  if (why_decode) {
    prepared.timeline = decode_once(job, prepared.source, mezzanine, *why_decode, stop);
  }
  const auto cuts = look_for_cuts(job, prepared.source, prepared.timeline, stop);
  if (why_decode || !cuts.empty()) {
    prepared.plan = make_plan(job, prepared.timeline, prepared.network, identity, ranks, cuts);
  }
  directory.write_plan(prepared.plan);
  return prepared;
}

DryPrepared prepare_dry(const Job& job,
                        const Ingredients& ingredients,
                        const std::vector<Resources>& ranks,
                        bool fresh,
                        const std::atomic<int>& stop) {
  const auto run = fresh ? std::nullopt : store::RunDirectory::find(job.run.dir);
  if (auto plan = run ? run->read_plan() : std::nullopt) {
    Prepared prepared = of_plan(job, ingredients, *run, std::move(*plan));
    check_decoding(job, prepared.timeline, std::nullopt);
    return {std::move(prepared), run};
  }
  std::optional<std::string> why_decode;
  Prepared prepared = draft(
      job, ingredients, ranks, [&stop](std::int64_t) { return stop.load() == 0; }, why_decode);
  check_decoding(job, prepared.timeline, why_decode);
  if (why_decode) {
    log::info("media", "the film will be decoded once into a lossless file first: {}", *why_decode);
  }
  return {std::move(prepared), std::nullopt};
}

double segment_bytes(const Job& job, const store::Plan& plan, const Segment& segment) {
  // Bytes a pixel, from upscaled real pictures: DNxHR HQX always takes this much, ProRes 422 HQ
  // from 0.45 without grain to 0.7 with a lot of it; FFV1 and PNG depend on the grain even more.
  double per_pixel = 0.6;
  switch (job.segment.codec) {
    case SegmentCodec::kProres:
      break;
    case SegmentCodec::kDnxhr:
      per_pixel = 0.55;
      break;
    case SegmentCodec::kFfv1:
      per_pixel = 1.3;
      break;
    case SegmentCodec::kPng:
      per_pixel = 3.5;
      break;
    case SegmentCodec::kNone:
      return chunk_bytes(job, plan, segment);
  }
  return per_pixel * pixels(plan.picture) * static_cast<double>(plan.held(segment).size());
}

double chunk_bytes(const Job& job, const store::Plan& plan, const Segment& segment) {
  return film_frame_bytes(job, plan) * static_cast<double>(segment.core.size());
}

double film_bytes(const Job& job, const store::Plan& plan) {
  double frame = film_frame_bytes(job, plan);
  if (job.final.encoder == "copy") {
    const Segment core{.core = {0, 1}, .input = {0, 1}};
    frame = segment_bytes(job, plan, core);
  }
  const bool retimed = job.final.fps.value_or(plan.timeline_rate) != plan.timeline_rate;
  const auto films = static_cast<double>(retimed ? job.final.variants.size() : 1);
  return films * frame * static_cast<double>(plan.timeline_frames);
}

}  // namespace vsr::launcher
