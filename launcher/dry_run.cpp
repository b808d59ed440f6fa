#include "dry_run.hpp"

#include "final_films.hpp"
#include "planning.hpp"
#include "roles.hpp"
#include "size_text.hpp"
#include "speed.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/cost.hpp"
#include "vsr/model/tiling.hpp"

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

// "40 s", "12 min", "3.4 h".
std::string duration_text(double seconds) {
  if (seconds < 90) return format("{:.0f} s", seconds);
  if (seconds < 90 * 60) return format("{:.0f} min", seconds / 60);
  return format("{:.1f} h", seconds / 3600);
}

// What the final encode does while segments are upscaled. How long it takes is known only to who
// has seen the film: x265's slow preset gives about two frames a second at 1440 lines on 16 cores.
std::string encode_text(const Job& job,
                        const store::Plan& plan,
                        const std::vector<Resources>& ranks) {
  if (job.segment.codec == SegmentCodec::kNone) return "goes on beside it and may take longer";
  if (!makes_chunks(job)) return "comes after it";
  return format(
      "goes on beside it, {} chunks at once here, and takes longer as a rule: more cores, or "
      "ranks with --role=encode, make it faster",
      capacities(job, plan, ranks).front().encoders);
}

}  // namespace

int print_dry_run(const Arguments& arguments) {
  const Job job = job_of(arguments);
  const std::vector<Resources> ranks = {own_resources(0, 1)};
  const Ingredients ingredients = look_at(job);
  if (!arguments.fresh) check_held_run(job, ingredients);
  const Prepared prepared = prepare_dry(job, ingredients, ranks);
  const store::Plan& plan = prepared.plan;
  const media::Timeline& timeline = prepared.timeline;
  assemble::validate(assemble_spec(job, plan, timeline, fs::path(job.run.dir) / "final"));
  const model::DeviceSpec device = choose_device(job.stream.device, 0);
  model::UpscalerOptions options = upscaler_options(job, timeline, device);
  set_output(options, job, prepared.network, prepared.plan.picture);
  options.tile = plan.tile;
  const Tiling tiling = model::tiling_of(prepared.network, timeline.format, plan.tile);
  const Backend backend = model::Upscaler::backend_for(prepared.network, options);
  // Its windows remember what is before them, but for those in tiles.
  const bool remembers = backend == Backend::kFused && tiling.count() == 1;
  const Past past = remembers ? Past::kRemembered : Past::kSeen;
  std::size_t windows = 0;
  std::int64_t computed = 0;
  for (const Segment& segment : plan.segments) {
    for (const Window& window : plan_windows(segment, plan.max_seq_len, plan.overlap, past)) {
      ++windows;
      computed += window.input.size();
    }
  }
  const double gflop = model::network_gflop(prepared.network, timeline.format) *
                       static_cast<double>(computed) * tiling.work();
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
              gflop / 1e3,
              gflop / 1e3 / static_cast<double>(computed)));
  const double gflop_per_s = measure_gflop_per_s(ingredients.checkpoint, options);
  line("time",
       format(
           "about {} of upscaling here, {:.2f} fps (by a short window: {:.2f} TFLOP/s); the final "
           "encode {}",
           duration_text(gflop / gflop_per_s),
           static_cast<double>(plan.timeline_frames) * gflop_per_s / gflop,
           gflop_per_s / 1e3,
           encode_text(job, plan, ranks)));
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
  return 0;
}

}  // namespace vsr::launcher
