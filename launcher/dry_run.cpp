#include "dry_run.hpp"

#include "chunk_runner.hpp"
#include "estimate.hpp"
#include "final_films.hpp"
#include "planning.hpp"
#include "rental.hpp"
#include "roles.hpp"
#include "stage_times.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/cost.hpp"
#include "vsr/model/tiling.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
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

using Json = nlohmann::ordered_json;

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

// A stage that is to be done here; null where how long it takes is not known.
Json stage_json(const Stage& stage) {
  if (stage.frames > 0 && stage.fps <= 0) return nullptr;
  return {{"frames", stage.frames}, {"fps", stage.fps}, {"s", stage.seconds()}};
}

Json times_json(const MeasuredHere& here) {
  const Estimate& estimate = here.estimate;
  Json json = {{"upscaling", stage_json(estimate.upscaling)},
               {"encoding", stage_json(estimate.encoding)},
               {"gpus", estimate.gpus},
               {"gpu", here.gpu},
               {"cores", estimate.cores},
               {"core_s_frame", estimate.core_s_frame}};
  const bool known = !json["upscaling"].is_null() && !json["encoding"].is_null();
  json["s"] = known ? Json(estimate.seconds()) : Json();
  json["rented"] = Json::array();
  if (!why_not_told(here).empty()) return json;
  for (const auto& row : rental_rows(here)) {
    for (const Rental& rental : row) {
      json["rented"].push_back({{"gpu", rental.type->name},
                                {"count", rental.count},
                                {"upscaling_h", rental.upscaling_h},
                                {"encoding_h", rental.encoding_h},
                                {"hours", rental.hours},
                                {"dollars", rental.dollars},
                                {"estimated", !rental.type->measured}});
    }
  }
  return json;
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
  const auto line = [&](std::string_view name, const std::string& text) {
    if (!arguments.json) std::cout << format("{:<10} {}\n", name, text);
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
       format("{} times the size, {} channels, {} blocks, on {} in {}, {} back end",
              prepared.network.scale(),
              prepared.network.mid_channels,
              prepared.network.num_blocks,
              device.cuda ? gpu::device_info(device.index).name : "the CPU",
              to_string(options.precision),
              to_string(backend)));
  const double computed_twice = static_cast<double>(computed - plan.timeline_frames) /
                                static_cast<double>(plan.timeline_frames);
  line("plan",
       format("{} of about {} frames, seen by the network in {} of up to {}; where they overlap, "
              "{:.1f}% of the frames are computed twice",
              counted(static_cast<std::int64_t>(plan.segments.size()), "segment"),
              job.segment.frames,
              counted(static_cast<std::int64_t>(windows), "window"),
              plan.max_seq_len,
              100 * computed_twice));
  line("tiles",
       tiling.count() == 1
           ? std::string("none: the network sees pictures whole")
           : format("{} x {} of {}x{}, {:.1f}% of a picture computed twice where they overlap",
                    tiling.across.count(),
                    tiling.down.count(),
                    tiling.across.tile(),
                    tiling.down.tile(),
                    100 * (tiling.work() - 1)));
  const auto memory = [](std::uint64_t bytes) { return size_text(static_cast<double>(bytes)); };
  const std::uint64_t window_bytes =
      model::Upscaler::window_bytes(prepared.network, options, plan.max_seq_len);
  line("memory",
       format("{} of {} memory for a window{}",
              memory(window_bytes),
              device.cuda ? "GPU" : "host",
              options.host_features ? format(", {} of pinned host memory",
                                             memory(model::Upscaler::host_bytes(
                                                 prepared.network, options, plan.max_seq_len)))
                                    : std::string()));
  line("work",
       format("{:.3g} million million operations (TFLOP), {:.2g} a frame",
              gflop_frame * static_cast<double>(computed) / 1e3,
              gflop_frame / 1e3));
  double segments_bytes = 0;
  for (const Segment& segment : plan.segments) segments_bytes += segment_bytes(job, plan, segment);
  const double films_bytes = (makes_chunks(job) ? 2 : 1) * film_bytes(job, plan);
  line("disk",
       format("about {} for {} and {} for {}films, in {}",
              size_text(segments_bytes),
              describe_segments(job),
              size_text(films_bytes),
              makes_chunks(job) ? "chunks and " : "",
              job.run.dir));
  line("final",
       format("{} frames at {} fps, {:.1f} s, {}",
              plan.timeline_frames,
              to_string(final_rate),
              seconds(plan.timeline_frames, final_rate),
              job.final.encoder));
  Json json = {{"timeline",
                {{"frames", timeline.frames()},
                 {"width", timeline.format.width},
                 {"height", timeline.format.height},
                 {"fps", timeline.rate.to_double()}}},
               {"network",
                {{"name", network_name(prepared.network)},
                 {"scale", prepared.network.scale()},
                 {"precision", to_string(options.precision)},
                 {"backend", to_string(backend)}}},
               {"plan",
                {{"segments", plan.segments.size()},
                 {"segment_frames", job.segment.frames},
                 {"windows", windows},
                 {"window_frames", plan.max_seq_len},
                 {"computed_twice", computed_twice}}},
               {"window_bytes", window_bytes},
               {"segments_bytes", std::llround(segments_bytes)},
               {"films_bytes", std::llround(films_bytes)},
               {"final",
                {{"fps", final_rate.to_double()},
                 {"s", seconds(plan.timeline_frames, final_rate)},
                 {"encoder", job.final.encoder}}}};
  const bool made = dry.run && is_made(job, plan, *dry.run);
  json["made"] = made;
  if (made) {
    line("time", "none: the film is made already");
    if (arguments.json) std::cout << json.dump(1) << '\n';
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
  if (arguments.json) {
    json["time"] = times_json(here);
    std::cout << json.dump(1) << '\n';
    return;
  }
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
