#include "segment_runner.hpp"

#include "embedded_model.hpp"
#include "final_films.hpp"
#include "ledger.hpp"
#include "planning.hpp"
#include "vsr/assemble/chunk_writer.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/gpu/device.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <span>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr auto kProgressEvery = std::chrono::seconds(15);

// Every frame, unless asked otherwise: that takes half a core at 75 frames a second
// (docs/performance.md), and where the host has not got it, frames are passed over.
pipeline::QualityOptions quality_options(const QualityChoice& asked) {
  return {.every = !asked.measure ? 0 : std::max(1, asked.every),
          .warn_below_db = asked.warn_below_db};
}

}  // namespace

SegmentRunner::SegmentRunner(Job job,
                             store::Plan plan,
                             const RankStorage& storage,
                             const cluster::Communicator& communicator,
                             int cpus,
                             std::string weights,
                             const std::atomic<int>& stop)
    : job_(std::move(job)),
      plan_(std::move(plan)),
      storage_(storage),
      directory_(storage.directory()),
      timeline_(storage.timeline()),
      rank_(communicator.rank()),
      local_rank_(communicator.local_rank()),
      cpus_(cpus),
      stop_(stop),
      weights_(std::move(weights)) {}

cluster::SegmentOutcome SegmentRunner::operator()(int index,
                                                  int attempt,
                                                  const std::function<void()>& next_may_begin,
                                                  pipeline::SegmentGauge& gauge) {
  make_pipeline();
  const Segment& segment = plan_.segments.at(static_cast<std::size_t>(index));
  const fs::path path =
      directory_.new_file(index, media::mezzanine_extension(codec_of(job_.segment.codec)));
  auto told = std::chrono::steady_clock::now();
  const auto tell_progress = [&](std::int64_t frames) {
    const auto now = std::chrono::steady_clock::now();
    if (now - told < kProgressEvery) return;
    told = now;
    log::debug("pipeline", "segment {}: frame {} of {}", index, frames, segment.input.size());
  };
  const auto result = pipeline_->run(segment, path, stop_, tell_progress, next_may_begin, &gauge);
  store::Record record = record_of(plan_, segment, path, result.mezzanine);
  // When it had the rank to itself: from the segment before to its commit, as wall_s is.
  record.started = utc_before(result.wall_s);
  record.windows = result.windows;
  record.device = device_name_;
  record.rank = rank_;
  record.attempt = attempt;
  record.wall_s = result.wall_s;
  record.stage_s = result.busy_s;
  record.events = result.events;
  record.measures = result.measures;
  record.previews = result.previews;
  for (const std::string& line : result.quality_warnings) {
    log::warning("quality", "segment {}: {}", index, line);
    record.events.push_back(line);
  }
  record.seam_luma = result.seam_luma;
  directory_.commit(plan_, record);
  std::string stages;
  for (const auto& [stage, busy_s] : result.busy_s) {
    stages += format("{}{} {:.1f} s", stages.empty() ? "" : ", ", stage, busy_s);
  }
  log::info("pipeline",
            "segment {} committed: {} frames in {:.1f} s, {:.2f} fps ({})",
            index,
            record.frames,
            result.wall_s,
            static_cast<double>(record.frames) / result.wall_s,
            stages);
  return {.segment = index, .ok = true};
}

model::Checkpoint SegmentRunner::checkpoint() const {
  if (weights_.empty()) return read_checkpoint(job_.model.checkpoint);
  return model::Checkpoint::read(std::as_bytes(std::span(weights_)), job_.model.checkpoint);
}

void SegmentRunner::make_pipeline() {
  const std::lock_guard lock(making_);
  if (pipeline_) return;
  const auto device = choose_device(job_.stream.device, local_rank_);
  device_name_ = device.cuda ? gpu::device_info(device.index).name : "cpu";
  const auto checkpoint = this->checkpoint();
  if (checkpoint.sha256() != plan_.identity.at("model")) {
    throw Error(ErrorCode::kModel,
                format("{}: not the checkpoint that the plan was made with; every host needs the "
                       "same file",
                       job_.model.checkpoint));
  }
  model::UpscalerOptions options = upscaler_options(job_, timeline_, device);
  options.cpu_threads = cpus_;
  options.window_frames = plan_.max_seq_len;
  options.tile = plan_.tile;
  set_output(options, job_, checkpoint.shape(), plan_.picture);
  options.digests = job_.quality.measure;
  upscaler_.emplace(checkpoint, options);
  pipeline::PipelineOptions pipeline_options;
  pipeline_options.codec = codec_of(job_.segment.codec);
  pipeline_options.output_colour = plan_.colour;
  pipeline_options.sample_aspect = plan_.sample_aspect;
  pipeline_options.max_seq_len = plan_.max_seq_len;
  pipeline_options.overlap = plan_.overlap;
  pipeline_options.prefetch = job_.stream.prefetch;
  pipeline_options.decode_threads = std::max(1, cpus_ / 4);
  pipeline_options.decode_device = decode_device(job_.stream, local_rank_);
  pipeline_options.encode_threads = std::max(1, cpus_ - pipeline_options.decode_threads);
  pipeline_options.pinned = device.cuda;
  pipeline_options.quality = quality_options(job_.quality);
  if (job_.segment.codec == SegmentCodec::kNone) {
    assemble::AssembleSpec spec = assemble_spec(job_, plan_, timeline_, directory_.final_dir());
    spec.open_source = storage_.film();
    spec.threads = pipeline_options.encode_threads;
    pipeline_options.open_writer = [spec](const Segment& segment, const fs::path& path) {
      return std::make_unique<assemble::ChunkWriter>(path, spec, segment.core.size());
    };
  }
  pipeline_ = std::make_unique<pipeline::SegmentPipeline>(timeline_, *upscaler_, pipeline_options);
  weights_ = {};  // of no use any more; before, another try may want them
  log::info("launcher",
            "network {} of {} on {}, {} back end, {} threads{}{}",
            checkpoint.describe(),
            job_.model.checkpoint,
            device_name_,
            to_string(upscaler_->backend()),
            cpus_,
            options.host_features ? ", features in host memory" : "",
            upscaler_->usual_packet_bytes() > 0 ? ", mezzanines encoded on the GPU" : "");
}

}  // namespace vsr::launcher
