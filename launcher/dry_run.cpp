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

// What the windows of all segments come to.
struct Computed {
  std::size_t windows = 0;
  std::int64_t frames = 0;  // with those that are computed twice
  std::int64_t left = 0;    // of those, in segments that are still to be upscaled
};

Computed computed_by(const store::Plan& plan, Past past, const Left& left) {
  Computed computed;
  for (const Segment& segment : plan.segments) {
    for (const Window& window : plan_windows(segment, plan.max_seq_len, plan.overlap, past)) {
      ++computed.windows;
      computed.frames += window.input.size();
      if (left.upscale[static_cast<std::size_t>(segment.index)]) {
        computed.left += window.input.size();
      }
    }
  }
  return computed;
}

// All that is known of the job without trying anything.
struct Outlook {
  const Job& job;
  const Prepared& prepared;
  model::DeviceSpec device;
  model::UpscalerOptions options;
  Tiling tiling;
  Backend backend = Backend::kAuto;
  Left left;
  Computed computed;

  const store::Plan& plan() const { return prepared.plan; }

  const media::Timeline& timeline() const { return prepared.timeline; }

  std::string device_name() const {
    return device.cuda ? gpu::device_info(device.index).name : std::string();
  }

  double gflop_frame() const {
    return model::network_gflop(prepared.network, timeline().format) * tiling.work();
  }

  double computed_twice() const {
    return static_cast<double>(computed.frames - plan().timeline_frames) /
           static_cast<double>(plan().timeline_frames);
  }

  std::uint64_t window_bytes() const {
    return model::Upscaler::window_bytes(prepared.network, options, plan().max_seq_len);
  }

  double segments_bytes() const {
    double bytes = 0;
    for (const Segment& segment : plan().segments) bytes += segment_bytes(job, plan(), segment);
    return bytes;
  }

  double films_bytes() const {  // and of chunks
    double bytes = film_bytes(job, plan());
    for (const Segment& segment : plan().segments) {
      if (makes_chunks(job)) bytes += chunk_bytes(job, plan(), segment);
    }
    return bytes;
  }

  Rational final_rate() const { return job.final.fps.value_or(timeline().rate); }

  double final_s() const {
    return static_cast<double>(plan().timeline_frames) / final_rate().to_double();
  }
};

Outlook outlook_of(const Job& job, const DryPrepared& dry, const std::vector<Resources>& ranks) {
  const Prepared& prepared = dry.prepared;
  const store::Plan& plan = prepared.plan;
  const media::Timeline& timeline = prepared.timeline;
  const model::DeviceSpec device = choose_device(job.stream.device, 0);
  model::UpscalerOptions options = upscaler_options(job, timeline, device);
  set_output(options, job, prepared.network, plan.picture);
  options.tile = plan.tile;
  options.cpu_threads = ranks.front().cpus;
  const Tiling tiling = model::tiling_of(prepared.network, timeline.format, plan.tile);
  const Backend backend = model::Upscaler::backend_for(prepared.network, options);
  // Its windows remember what is before them, but for those in tiles.
  const bool remembers = backend == Backend::kFused && tiling.count() == 1;
  const Left left = what_is_left(job, plan, dry.run);
  return {.job = job,
          .prepared = prepared,
          .device = device,
          .options = options,
          .tiling = tiling,
          .backend = backend,
          .left = left,
          .computed = computed_by(plan, remembers ? Past::kRemembered : Past::kSeen, left)};
}

std::string memory_text(std::uint64_t bytes) { return size_text(static_cast<double>(bytes)); }

void tell_line(std::string_view name, const std::string& text) {
  std::cout << format("{:<10} {}\n", name, text);
}

void tell_outlook(const Outlook& outlook) {
  const Job& job = outlook.job;
  const Prepared& prepared = outlook.prepared;
  const store::Plan& plan = outlook.plan();
  const media::Timeline& timeline = outlook.timeline();
  const Tiling& tiling = outlook.tiling;
  tell_line("input",
            format("{} ({}, {}), {:.1f} s",
                   job.input.file,
                   prepared.source.container,
                   prepared.source.video.codec,
                   prepared.source.duration_s));
  tell_line("timeline",
            format("{} frames of {} at {} fps, matrix {}",
                   timeline.frames(),
                   to_string(timeline.format),
                   to_string(timeline.rate),
                   to_string(timeline.colour.matrix)));
  tell_line("network",
            format("{} times the size, {} channels, {} blocks, on {} in {}, {} back end",
                   prepared.network.scale(),
                   prepared.network.mid_channels,
                   prepared.network.num_blocks,
                   outlook.device.cuda ? outlook.device_name() : "the CPU",
                   to_string(outlook.options.precision),
                   to_string(outlook.backend)));
  tell_line("plan",
            format("{} of about {} frames, seen by the network in {} of up to {}; where they "
                   "overlap, {:.1f}% of the frames are computed twice",
                   counted(static_cast<std::int64_t>(plan.segments.size()), "segment"),
                   job.segment.frames,
                   counted(static_cast<std::int64_t>(outlook.computed.windows), "window"),
                   plan.max_seq_len,
                   100 * outlook.computed_twice()));
  tell_line("tiles",
            tiling.count() == 1
                ? std::string("none: the network sees pictures whole")
                : format("{} x {} of {}x{}, {:.1f}% of a picture computed twice where they overlap",
                         tiling.across.count(),
                         tiling.down.count(),
                         tiling.across.tile(),
                         tiling.down.tile(),
                         100 * (tiling.work() - 1)));
  std::string pinned;
  if (outlook.options.host_features) {
    pinned = format(", {} of pinned host memory",
                    memory_text(model::Upscaler::host_bytes(
                        prepared.network, outlook.options, plan.max_seq_len)));
  }
  tell_line("memory",
            format("{} of {} memory for a window{}",
                   memory_text(outlook.window_bytes()),
                   outlook.device.cuda ? "GPU" : "host",
                   pinned));
  tell_line("work",
            format("{:.3g} million million operations (TFLOP), {:.2g} a frame",
                   outlook.gflop_frame() * static_cast<double>(outlook.computed.frames) / 1e3,
                   outlook.gflop_frame() / 1e3));
  tell_line("disk",
            format("about {} for {} and {} for {}films, in {}",
                   size_text(outlook.segments_bytes()),
                   describe_segments(job),
                   size_text(outlook.films_bytes()),
                   makes_chunks(job) ? "chunks and " : "",
                   job.run.dir));
  tell_line("final",
            format("{} frames at {} fps, {:.1f} s, {}",
                   plan.timeline_frames,
                   to_string(outlook.final_rate()),
                   outlook.final_s(),
                   job.final.encoder));
}

Json outlook_json(const Outlook& outlook) {
  const Prepared& prepared = outlook.prepared;
  const store::Plan& plan = outlook.plan();
  const media::Timeline& timeline = outlook.timeline();
  return {{"timeline",
           {{"frames", timeline.frames()},
            {"width", timeline.format.width},
            {"height", timeline.format.height},
            {"fps", timeline.rate.to_double()}}},
          {"network",
           {{"name", network_name(prepared.network)},
            {"scale", prepared.network.scale()},
            {"precision", to_string(outlook.options.precision)},
            {"backend", to_string(outlook.backend)}}},
          {"plan",
           {{"segments", plan.segments.size()},
            {"segment_frames", outlook.job.segment.frames},
            {"windows", outlook.computed.windows},
            {"window_frames", plan.max_seq_len},
            {"computed_twice", outlook.computed_twice()}}},
          {"window_bytes", outlook.window_bytes()},
          {"segments_bytes", std::llround(outlook.segments_bytes())},
          {"films_bytes", std::llround(outlook.films_bytes())},
          {"final",
           {{"fps", outlook.final_rate().to_double()},
            {"s", outlook.final_s()},
            {"encoder", outlook.job.final.encoder}}}};
}

// How long both stages take here, tried with a few pictures; each is told as soon as it is known.
MeasuredHere measure(const Outlook& outlook,
                     const Ingredients& ingredients,
                     const std::vector<Resources>& ranks,
                     bool silent,
                     const std::atomic<int>& stop) {
  const Job& job = outlook.job;
  const auto line = [silent](std::string_view name, const std::string& text) {
    if (!silent) tell_line(name, text);
    std::cout << std::flush;  // the next takes a while
  };
  Estimate estimate;
  const RunAhead run{job, outlook.prepared, ranks, outlook.left};
  const double gflop_left = outlook.gflop_frame() * static_cast<double>(outlook.computed.left);
  line("upscaling",
       upscaling_text(run, ingredients.checkpoint, outlook.options, gflop_left, estimate));
  line("encoding", encoding_text(run, estimate, stop));
  if (encode_follows(job)) {
    estimate.order = Order::kAfterwards;
  } else if (estimate.gpus == 0) {
    estimate.order = Order::kSameCores;
  }
  line("time", whole_text(estimate));
  const media::Timeline& timeline = outlook.timeline();
  return {.estimate = estimate,
          .gpu = outlook.device_name(),
          .network = network_name(outlook.prepared.network),
          .half = fused_on_gpus(job),
          .pixels = outlook.tiling.work() * timeline.format.width * timeline.format.height};
}

void tell_rented(const MeasuredHere& here) {
  std::string_view name = "rented";
  for (const std::string& text : rental_lines(here)) {
    tell_line(name, text);
    name = "";
  }
}

void tell(const Arguments& arguments,
          const std::vector<Resources>& ranks,
          const std::atomic<int>& stop) {
  const Job job = job_of(arguments);
  const Ingredients ingredients = look_at(job);
  const DryPrepared dry = prepare_dry(job, ingredients, ranks, arguments.fresh, stop);
  const store::Plan& plan = dry.prepared.plan;
  assemble::validate(
      assemble_spec(job, plan, dry.prepared.timeline, fs::path(job.run.dir) / "final"));
  const Outlook outlook = outlook_of(job, dry, ranks);
  const bool silent = arguments.json;
  Json json;
  if (silent) {
    json = outlook_json(outlook);
  } else {
    tell_outlook(outlook);
  }
  const bool made = dry.run && is_made(job, plan, *dry.run);
  json["made"] = made;
  if (made && !silent) tell_line("time", "none: the film is made already");
  if (!made) {
    if (dry.run && !silent) tell_line("done", done_text(job, plan, outlook.left));
    std::cout << std::flush;  // the rest takes a while
    const MeasuredHere here = measure(outlook, ingredients, ranks, silent, stop);
    if (silent) {
      json["time"] = times_json(here);
    } else {
      tell_rented(here);
    }
  }
  if (silent) std::cout << json.dump(1) << '\n';
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
