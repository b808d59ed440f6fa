#include "stage_times.hpp"

#include "chunk_runner.hpp"
#include "final_films.hpp"
#include "roles.hpp"
#include "speed.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/gpu/device.hpp"

#include <algorithm>
#include <filesystem>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr double kFilled = 0.6;  // of its threads' time, by an encoder that has them for itself

std::int64_t frames_of(const store::Plan& plan, const std::vector<bool>& which) {
  std::int64_t frames = 0;
  for (std::size_t i = 0; i < which.size(); ++i) {
    if (which[i]) frames += plan.segments[i].core.size();
  }
  return frames;
}

// Who encodes.
struct Encoders {
  int encoders = 0;  // of all ranks
  int cores = 0;     // that these have together
  int own = 1;       // of this rank, as far as each has a core
  int threads = 0;   // of one of this rank's
  int gpus = 0;      // that encode, where it is not cores
  bool one_of_many = false;
};

Encoders encoders_of(const Job& job, const store::Plan& plan, const std::vector<Resources>& ranks) {
  Encoders all;
  if (encode_follows(job)) {
    all.encoders = 1;
    all.cores = all.threads = usable_cpus();
  } else if (makes_chunks(job)) {
    all.one_of_many = true;
    const auto what = capacities(job, plan, ranks);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const int here = what[i].encoders;
      if (here == 0) continue;
      all.encoders += here;
      all.cores += std::min(ranks[i].cpus, here * std::max(1, ranks[i].cpus / here));
      ++all.gpus;
    }
    const int cpus = ranks.front().cpus;
    all.threads = std::max(1, cpus / std::max(1, what.front().encoders));
    all.own = std::clamp(what.front().encoders, 1, cpus);
  } else {  // as segments are made
    for (const Resources& rank : upscaling(job, ranks)) {
      const int threads = std::max(1, rank.cpus - std::max(1, rank.cpus / 4));
      if (all.threads == 0) all.threads = threads;
      all.cores += threads;
      ++all.encoders;
      ++all.gpus;
    }
  }
  if (job.final.encoder != "hevc_nvenc") all.gpus = 0;
  return all;
}

}  // namespace

Left what_is_left(const Job& job,
                  const store::Plan& plan,
                  const std::optional<store::RunDirectory>& run) {
  const std::size_t segments = plan.segments.size();
  Left left{std::vector<bool>(segments, true), std::vector<bool>(segments, true)};
  if (!run) return left;
  const bool chunks = makes_chunks(job);
  const store::Plan chunked = chunks ? chunk_plan(job, plan) : plan;
  for (std::size_t i = 0; i < segments; ++i) {
    const Segment& segment = plan.segments[i];
    const bool encoded = chunks && run->committed(chunked, segment, nullptr, store::Piece::kChunk);
    // A mezzanine may be gone once its chunk is there.
    const bool upscaled = encoded || run->committed(plan, segment, nullptr);
    left.upscale[i] = !upscaled;
    left.encode[i] = job.segment.codec == SegmentCodec::kNone ? !upscaled : !encoded;
  }
  return left;
}

std::string upscaling_text(const RunAhead& run,
                           const model::Checkpoint& checkpoint,
                           const model::UpscalerOptions& options,
                           double gflop,
                           Estimate& estimate) {
  const std::vector<Resources> those = upscaling(run.job, run.ranks);
  const bool cuda = options.device.cuda;
  Stage& stage = estimate.upscaling;
  stage.frames = frames_of(run.prepared.plan, run.left.upscale);
  stage.pieces = Left::count(run.left.upscale);
  stage.workers = static_cast<int>(those.size());
  const bool elsewhere =
      !cuda && run.job.stream.device != DeviceChoice::kCpu &&
      std::any_of(those.begin(), those.end(), [](const auto& rank) { return !rank.gpu.empty(); });
  if (cuda || elsewhere) estimate.gpus = stage.workers;
  if (stage.frames == 0) return "all segments are upscaled";
  if (elsewhere) return "not known: rank 0, which measures, has no GPU, and other ranks have";
  const double gflop_per_s = measure_gflop_per_s(checkpoint, options);
  // All GPUs as rank 0's; processors by how many there are.
  double ranks_of_this = stage.workers;
  if (!cuda) {
    int cores = 0;
    for (const Resources& rank : those) cores += rank.cpus;
    ranks_of_this = static_cast<double>(cores) / run.ranks.front().cpus;
  }
  stage.fps = static_cast<double>(stage.frames) / gflop * gflop_per_s * ranks_of_this;
  return format(
      "about {} at {} fps ({}); tried with a few made-up pictures on {}, {:.2f} TFLOP/s{}",
      duration_text(stage.seconds()),
      rate_text(stage.fps),
      cuda ? counted(stage.workers, "GPU")
           : format("the processors of {}", counted(stage.workers, "rank")),
      cuda ? gpu::device_info(options.device.index).name : std::string("the CPU"),
      gflop_per_s / 1e3,
      cuda || run.job.stream.device == DeviceChoice::kCpu
          ? ""
          : "; there is no GPU here, so how fast one would be is not told");
}

std::string encoding_text(const RunAhead& run, Estimate& estimate, const std::atomic<int>& stop) {
  const Job& job = run.job;
  const store::Plan& plan = run.prepared.plan;
  const media::Timeline& timeline = run.prepared.timeline;
  if (job.final.encoder == "copy") return "none: the segments are joined as they are";
  Stage& stage = estimate.encoding;
  stage.frames = frames_of(plan, run.left.encode);
  if (stage.frames == 0) return "all chunks are encoded";
  const Encoders who = encoders_of(job, plan, run.ranks);
  stage.workers = who.encoders;
  stage.pieces = encode_follows(job) ? 1 : Left::count(run.left.encode);
  assemble::AssembleSpec spec = assemble_spec(job, plan, timeline, fs::path(job.run.dir) / "final");
  spec.threads = who.threads;
  spec.one_of_many = who.one_of_many;
  EncodeSpeed speed;
  try {
    speed = measure_encode(spec, timeline, who.own, stop);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) throw;
    return format("not known: no picture of the film could be tried ({})", error.what());
  }
  if (speed.frames == 0) return "not known: no picture was encoded within half a minute";
  const bool on_cores = who.gpus == 0;
  stage.fps = on_cores ? who.cores / speed.core_s_frame : speed.fps * who.gpus;
  estimate.cores = on_cores ? who.cores : 0;
  estimate.core_s_frame = on_cores ? speed.core_s_frame : 0;
  std::string text = format(
      "about {} at {} fps ({}{}); tried with {} of this film, enlarged by Lanczos and not by the "
      "network, whose detail and grain may take more or less",
      duration_text(stage.seconds()),
      rate_text(stage.fps),
      on_cores
          ? format("{} of {}", counted(who.encoders, "encoder"), counted(who.threads, "thread"))
          : format("the encoders of {}", counted(who.gpus, "GPU")),
      on_cores ? format(", {:.2g} core-seconds a frame", speed.core_s_frame) : std::string(),
      counted(speed.frames, "picture"));
  // By the clock, of the encoders here; the estimate is by what their cores could do.
  const double possible = who.own * who.threads / speed.core_s_frame;
  if (on_cores && speed.fps < kFilled * possible) {
    text += format(
        "; the trial itself went at {} fps where {} should be possible: these cores have other "
        "work, or an encoder has more threads than it can use",
        rate_text(speed.fps),
        rate_text(possible));
  }
  return text;
}

}  // namespace vsr::launcher
