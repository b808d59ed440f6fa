#include "dry_run.hpp"

#include "chunk_runner.hpp"
#include "estimate.hpp"
#include "final_films.hpp"
#include "planning.hpp"
#include "rental.hpp"
#include "roles.hpp"
#include "size_text.hpp"
#include "stage_times.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/cost.hpp"
#include "vsr/model/tiling.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

bool is_made(const Job& job, const store::Plan& plan, const store::RunDirectory& run) {
  const store::Plan pieces = makes_chunks(job) ? chunk_plan(job, plan) : plan;
  return finished_films(run, final_identity(job, pieces)).has_value();
}

std::string done_text(const Job& job, const store::Plan& plan, const Left& left) {
  const int segments = static_cast<int>(plan.segments.size());
  return format("{} of {} segments are upscaled{}; the times are of what is left",
                segments - Left::count(left.upscale),
                segments,
                makes_chunks(job) ? format(", {} encoded", segments - Left::count(left.encode))
                                  : std::string());
}

// "c64n7"; of a network that does not enlarge "x1 c16n2".
std::string network_name(const model::NetworkShape& network) {
  return format("{}c{}n{}",
                network.scale() == 4 ? std::string() : format("x{} ", network.scale()),
                network.mid_channels,
                network.num_blocks);
}

bool fused_on_gpus(const Job& job) {
  const Precision precision = job.model.precision;
  return (precision == Precision::kFp16 || precision == Precision::kBf16) &&
         job.model.backend != Backend::kReference;
}

void tell(const Arguments& arguments,
          const std::vector<Resources>& ranks,
          const std::atomic<int>& stop) {
  const Job job = job_of(arguments);
  const Ingredients ingredients = look_at(job);
  const DryPrepared dry = prepare_dry(job, ingredients, ranks, arguments.fresh, stop);
  const Prepared& prepared = dry.prepared;
  const store::Plan& plan = prepared.plan;
  const media::Timeline& timeline = prepared.timeline;
  assemble::validate(assemble_spec(job, plan, timeline, fs::path(job.run.dir) / "final"));
  const model::DeviceSpec device = choose_device(job.stream.device, 0);
  model::UpscalerOptions options = upscaler_options(job, timeline, device);
  set_output(options, job, prepared.network, prepared.plan.picture);
  options.tile = plan.tile;
  options.cpu_threads = ranks.front().cpus;
  const Tiling tiling = model::tiling_of(prepared.network, timeline.format, plan.tile);
  const Backend backend = model::Upscaler::backend_for(prepared.network, options);
  // Its windows remember what is before them, but for those in tiles.
  const bool remembers = backend == Backend::kFused && tiling.count() == 1;
  const Past past = remembers ? Past::kRemembered : Past::kSeen;
  const Left left = what_is_left(job, plan, dry.run);
  std::size_t windows = 0;
  std::int64_t computed = 0;
  std::int64_t computed_left = 0;
  for (const Segment& segment : plan.segments) {
    for (const Window& window : plan_windows(segment, plan.max_seq_len, plan.overlap, past)) {
      ++windows;
      computed += window.input.size();
      if (left.upscale[static_cast<std::size_t>(segment.index)]) {
        computed_left += window.input.size();
      }
    }
  }
  const double gflop_frame =
      model::network_gflop(prepared.network, timeline.format) * tiling.work();
  const Rational final_rate = job.final.fps.value_or(timeline.rate);
  const auto line = [](std::string_view name, const std::string& text) {
    std::cout << format("{:<10} {}\n", name, text);
  };
  const auto seconds = [](std::int64_t frames, const Rational& rate) {
    return static_cast<double>(frames) / rate.to_double();
  };
  line("input",
       format("{} ({}, {}), {:.1f} s",
              job.input.file,
              prepared.source.container,
              prepared.source.video.codec,
              prepared.source.duration_s));
  line("timeline",
       format("{} frames of {} at {} fps, matrix {}",
              timeline.frames(),
              to_string(timeline.format),
              to_string(timeline.rate),
              to_string(timeline.colour.matrix)));
  line("network",
       format("x{} c{} n{} on {}, {}, {} back end",
              prepared.network.scale(),
              prepared.network.mid_channels,
              prepared.network.num_blocks,
              device.cuda ? gpu::device_info(device.index).name : "the CPU",
              to_string(options.precision),
              to_string(backend)));
  line("plan",
       format("{} segments of about {} frames, {} windows of up to {}, {:.1f}% computed twice",
              plan.segments.size(),
              job.segment.frames,
              windows,
              plan.max_seq_len,
              100.0 * static_cast<double>(computed - plan.timeline_frames) /
                  static_cast<double>(plan.timeline_frames)));
  line("tiles",
       tiling.count() == 1 ? std::string("none: the network sees pictures whole")
                           : format("{} x {} of {}x{}, {:.1f}% of a picture computed twice",
                                    tiling.across.count(),
                                    tiling.down.count(),
                                    tiling.across.tile(),
                                    tiling.down.tile(),
                                    100 * (tiling.work() - 1)));
  const auto gigabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  line("memory",
       format("{:.2f} GB of {} memory a window{}",
              gigabytes(model::Upscaler::window_bytes(prepared.network, options, plan.max_seq_len)),
              device.cuda ? "GPU" : "host",
              options.host_features ? format(", {:.2f} GB of pinned host memory",
                                             gigabytes(model::Upscaler::host_bytes(
                                                 prepared.network, options, plan.max_seq_len)))
                                    : std::string()));
  line("work",
       format("{:.1f} TFLOP, {:.3f} a frame",
              gflop_frame * static_cast<double>(computed) / 1e3,
              gflop_frame / 1e3));
  double segments_bytes = 0;
  for (const Segment& segment : plan.segments) segments_bytes += segment_bytes(job, plan, segment);
  line("disk",
       format("about {} of {} and {} of {}films in {}",
              size_text(segments_bytes),
              describe_segments(job),
              size_text((makes_chunks(job) ? 2 : 1) * film_bytes(job, plan)),
              makes_chunks(job) ? "chunks and " : "",
              job.run.dir));
  line("final",
       format("{} frames at {} fps, {:.1f} s, {}",
              plan.timeline_frames,
              to_string(final_rate),
              seconds(plan.timeline_frames, final_rate),
              job.final.encoder));
  if (dry.run && is_made(job, plan, *dry.run)) {
    line("time", "none: the film is made already");
    return;
  }
  if (dry.run) line("done", done_text(job, plan, left));
  std::cout << std::flush;  // the rest takes a while
  Estimate estimate;
  const RunAhead run{job, prepared, ranks, left};
  const double gflop_left = gflop_frame * static_cast<double>(computed_left);
  line("upscaling", upscaling_text(run, ingredients.checkpoint, options, gflop_left, estimate));
  std::cout << std::flush;
  line("encoding", encoding_text(run, estimate, stop));
  if (encode_follows(job)) {
    estimate.order = Order::kAfterwards;
  } else if (estimate.gpus == 0) {
    estimate.order = Order::kSameCores;
  }
  line("time", whole_text(estimate));
  const MeasuredHere here{.estimate = estimate,
                          .gpu = device.cuda ? gpu::device_info(device.index).name : std::string(),
                          .network = network_name(prepared.network),
                          .half = fused_on_gpus(job),
                          .pixels = tiling.work() * timeline.format.width * timeline.format.height};
  std::string_view name = "rented";
  for (const std::string& text : rental_lines(here)) {
    line(name, text);
    name = "";
  }
}

}  // namespace

int print_dry_run(const Arguments& arguments,
                  cluster::Communicator& communicator,
                  Signals& signals) {
  const std::vector<Resources> ranks = gather_resources(arguments, communicator);
  std::string over;  // the others wait for it, asleep
  if (communicator.rank() == 0) {
    try {
      tell(arguments, ranks, signals.stop());
    } catch (...) {
      communicator.broadcast(over);
      throw;
    }
  }
  communicator.broadcast(over);
  return 0;
}

}  // namespace vsr::launcher
