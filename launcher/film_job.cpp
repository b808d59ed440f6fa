#include "film_job.hpp"

#include "planning.hpp"
#include "speed.hpp"
#include "version.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/sha256.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/model/cost.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"
#include "vsr/store/run_directory.hpp"

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr double kGatherTimeout_s = 120;
constexpr auto kProgressEvery = std::chrono::seconds(15);

// --- What rank 0 tells the others --------------------------------------------------------------

// "ok", the job as a job file, the plan's bytes; or the error that ends the start. Lengths in text,
// so that the parts need no escaping.
std::string encode_start(const Job& job, const store::Plan& plan) {
  const std::string job_text = print_job(job, false);
  return format("ok {}\n{}", job_text.size(), job_text) + store::encode_plan(plan);
}

std::string encode_start_failure(const Error& error) {
  return format("error {}\n{}", static_cast<int>(error.code()), error.what());
}

struct Start {
  Job job;
  store::Plan plan;
};

// Nothing when rank 0 failed: it has told the user.
std::optional<Start> decode_start(const std::string& bytes) {
  const std::size_t line = bytes.find('\n');
  if (bytes.rfind("ok ", 0) != 0 || line == std::string::npos) return std::nullopt;
  const auto job_size = static_cast<std::size_t>(std::stoull(bytes.substr(3, line - 3)));
  Start start;
  start.job = parse_job_text(bytes.substr(line + 1, job_size));
  start.plan = store::decode_plan(bytes.substr(line + 1 + job_size));
  return start;
}

// --- One rank's work ---------------------------------------------------------------------------

// Upscales and commits segments. Everything heavy is made with the first one, on the worker's
// thread: a rank that gets no work loads nothing.
class SegmentRunner {
 public:
  SegmentRunner(Job job,
                store::Plan plan,
                const store::RunDirectory& directory,
                const cluster::Communicator& communicator,
                const std::atomic<int>& stop)
      : job_(std::move(job)),
        plan_(std::move(plan)),
        directory_(directory),
        timeline_(media::Timeline::deserialize(plan_.timeline)),
        rank_(communicator.rank()),
        local_rank_(communicator.local_rank()),
        cpus_(std::max(1, usable_cpus() / communicator.local_size())),
        stop_(stop) {}

  cluster::SegmentOutcome operator()(int index, int attempt) {
    make_pipeline();
    const Segment& segment = plan_.segments.at(static_cast<std::size_t>(index));
    const std::string extension = media::mezzanine_extension(codec_of(job_.segment.codec));
    const fs::path path = directory_.mezzanine(index, extension);
    // The record goes first, should an old one be there: never a record without its pictures.
    directory_.discard(index, extension);
    store::Record record;
    record.started = utc_now();
    last_progress_ = std::chrono::steady_clock::now();
    const auto result = pipeline_->run(
        segment, path, stop_, [&](std::int64_t frames) { tell_progress(segment, frames); });
    record.segment = segment;
    record.plan_fingerprint = plan_.fingerprint();
    record.frames = result.mezzanine.frames;
    record.bytes = result.mezzanine.bytes;
    record.checksums = result.mezzanine.checksums;
    record.windows = result.windows;
    record.host = host_name();
    record.device = device_name_;
    record.rank = rank_;
    record.attempt = attempt;
    record.wall_s = result.wall_s;
    record.stage_s = result.busy_s;
    record.events = result.events;
    directory_.commit(record);
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

 private:
  void make_pipeline() {
    if (pipeline_) return;
    const auto device = choose_device(job_.stream.device, local_rank_);
    device_name_ = device.cuda ? gpu::device_info(device.index).name : "cpu";
    const auto checkpoint = model::Checkpoint::read(checkpoint_file(job_.model.checkpoint));
    if (checkpoint.sha256() != plan_.identity.at("model")) {
      throw Error(ErrorCode::kModel,
                  format("{}: not the checkpoint that the plan was made with; every host needs the "
                         "same file",
                         job_.model.checkpoint));
    }
    model::UpscalerOptions options = upscaler_options(job_, timeline_, device);
    options.cpu_threads = cpus_;
    upscaler_.emplace(checkpoint, options);
    pipeline::PipelineOptions pipeline_options;
    pipeline_options.codec = codec_of(job_.segment.codec);
    pipeline_options.output_colour = plan_.colour;
    pipeline_options.sample_aspect = plan_.sample_aspect;
    pipeline_options.max_seq_len = plan_.max_seq_len;
    pipeline_options.overlap = plan_.overlap;
    pipeline_options.prefetch = job_.stream.prefetch;
    pipeline_options.decode_threads = std::max(1, cpus_ / 4);
    pipeline_options.encode_threads = std::max(1, cpus_ - pipeline_options.decode_threads);
    pipeline_options.pinned = device.cuda;
    pipeline_ =
        std::make_unique<pipeline::SegmentPipeline>(timeline_, *upscaler_, pipeline_options);
    log::info(
        "launcher", "network {} on {}, {} threads", checkpoint.describe(), device_name_, cpus_);
  }

  void tell_progress(const Segment& segment, std::int64_t frames) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_progress_ < kProgressEvery) return;
    last_progress_ = now;
    log::info(
        "pipeline", "segment {}: frame {} of {}", segment.index, frames, segment.input.size());
  }

  const Job job_;
  const store::Plan plan_;
  const store::RunDirectory& directory_;
  const media::Timeline timeline_;
  const int rank_;
  const int local_rank_;
  const int cpus_;
  const std::atomic<int>& stop_;
  std::string device_name_;
  std::optional<model::Upscaler> upscaler_;
  std::unique_ptr<pipeline::SegmentPipeline> pipeline_;
  std::chrono::steady_clock::time_point last_progress_;
};

// --- Final films -------------------------------------------------------------------------------

assemble::AssembleSpec assemble_spec(const Job& job,
                                     const Prepared& prepared,
                                     const fs::path& out) {
  assemble::AssembleSpec spec;
  spec.source = job.input.file;
  spec.codec = codec_of(job.segment.codec);
  spec.picture = prepared.plan.picture;
  spec.colour = prepared.plan.colour;
  spec.sample_aspect = prepared.plan.sample_aspect;
  spec.timeline_rate = prepared.plan.timeline_rate;
  spec.start_time_s = prepared.timeline.start_time_s;
  spec.partial = job.input.start_s > 0 || job.input.end_s > 0;
  spec.options = job.final;
  spec.audio = job.input.audio;
  spec.subtitles = job.input.subtitles;
  spec.out_dir = out;
  return spec;
}

// Names everything the films depend on.
std::string final_identity(const Job& job, const store::Plan& plan) {
  std::string text = format("plan {}\n", plan.fingerprint());
  for (const auto& [key, value] : job_values(job)) {
    if (changes_final(key)) text += format("{} = {}\n", key, value);
  }
  return text;
}

// The stamp: the identity, then a line "file <bytes> <name>" for each film.
std::optional<std::vector<fs::path>> finished_films(const store::RunDirectory& directory,
                                                    const std::string& identity) {
  if (!fs::exists(directory.final_stamp())) return std::nullopt;
  const std::string stamp = read_file(directory.final_stamp());
  if (stamp.rfind(identity, 0) != 0) return std::nullopt;
  std::vector<fs::path> films;
  std::istringstream lines(stamp.substr(identity.size()));
  std::string word;
  std::uintmax_t bytes = 0;
  std::string name;
  while (lines >> word >> bytes && std::getline(lines >> std::ws, name)) {
    std::error_code error;
    if (fs::file_size(directory.final_dir() / name, error) != bytes || error) return std::nullopt;
    films.push_back(directory.final_dir() / name);
  }
  if (films.empty()) return std::nullopt;
  return films;
}

void write_stamp(const store::RunDirectory& directory,
                 const std::string& identity,
                 const std::vector<fs::path>& films) {
  std::string stamp = identity;
  for (const fs::path& film : films) {
    stamp += format("file {} {}\n", fs::file_size(film), film.filename().string());
  }
  write_file(directory.final_stamp(), stamp);
}

// The ledger decides what is done: which segments hold, now.
std::vector<std::optional<store::Record>> read_ledger(const store::RunDirectory& directory,
                                                      const store::Plan& plan,
                                                      const std::string& extension) {
  std::vector<std::optional<store::Record>> records;
  for (const Segment& segment : plan.segments) {
    std::string why;
    records.push_back(directory.committed(plan, segment, extension, &why));
    if (!records.back() && !why.empty()) {
      log::warning("store", "segment {} has to be made again: {}", segment.index, why);
    }
  }
  return records;
}

assemble::AssembleResult make_films(assemble::AssembleSpec spec,
                                    const store::RunDirectory& directory,
                                    const store::Plan& plan,
                                    const std::vector<std::optional<store::Record>>& records,
                                    const std::atomic<int>& stop) {
  const std::string extension = media::mezzanine_extension(spec.codec);
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const Segment& segment = plan.segments[i];
    spec.segments.push_back({directory.mezzanine(segment.index, extension),
                             segment.core,
                             segment.input,
                             records[i]->checksums});
  }
  const auto begin = std::chrono::steady_clock::now();
  auto last = begin;
  auto result = assemble::assemble(spec, [&](std::int64_t frames) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last >= kProgressEvery) {
      last = now;
      const double seconds = std::chrono::duration<double>(now - begin).count();
      log::info("assemble",
                "frame {} of {}, {:.2f} fps",
                frames,
                plan.timeline_frames,
                static_cast<double>(frames) / seconds);
    }
    return stop.load() == 0;
  });
  for (const std::string& warning : result.warnings) log::warning("assemble", "{}", warning);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  log::info("assemble",
            "{} frames in {:.1f} s, {:.2f} fps",
            result.frames,
            seconds,
            static_cast<double>(result.frames) / seconds);
  return result;
}

// --- Rank 0 ------------------------------------------------------------------------------------

// Moves what a run directory holds out of the way, keeping it.
void move_aside(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(directory, error) || fs::is_empty(directory, error)) return;
  for (int n = 1;; ++n) {
    const fs::path aside = format("{}.before-{}", directory.string(), n);
    if (fs::exists(aside, error)) continue;
    fs::rename(directory, aside, error);
    if (error) {
      throw Error(ErrorCode::kStorage,
                  format("{}: cannot be moved aside: {}", directory.string(), error.message()));
    }
    log::info("launcher", "what {} held is now {}", directory.string(), aside.string());
    return;
  }
}

struct Lead {
  Job job;
  std::optional<store::RunDirectory> directory;
  std::unique_ptr<store::RunLock> lock;
  Prepared prepared;
};

Lead open_run(const Arguments& arguments,
              const std::vector<Resources>& ranks,
              const std::atomic<int>& stop) {
  Lead lead;
  lead.job = job_of(arguments);
  if (arguments.fresh) move_aside(lead.job.run.dir);
  std::error_code error;
  if (!lead.job.run.resume && fs::exists(fs::path(lead.job.run.dir) / "plan.h5", error)) {
    throw Error(ErrorCode::kUsage,
                format("{} holds a run and run.resume is off: give another run.dir, or --fresh",
                       lead.job.run.dir));
  }
  lead.directory.emplace(lead.job.run.dir);
  lead.lock = std::make_unique<store::RunLock>(*lead.directory);
  lead.prepared = prepare(lead.job, *lead.directory, ranks, stop);
  assemble::validate(assemble_spec(lead.job, lead.prepared, lead.directory->final_dir()));
  write_file(lead.directory->job_file(), print_job(lead.job, false));
  return lead;
}

void configure_log(const Arguments& arguments, const store::RunDirectory& directory, int rank) {
  log::configure({.terminal = rank == 0 ? arguments.log_level
                                        : std::max(arguments.log_level, log::Level::kWarning),
                  .file = log::Level::kDebug,
                  .path = directory.log_file(rank).string(),
                  .rank = rank,
                  .json = arguments.log_json});
}

void introduce(const Lead& lead, const std::vector<Resources>& ranks) {
  const store::Plan& plan = lead.prepared.plan;
  const media::Timeline& timeline = lead.prepared.timeline;
  log::info("launcher",
            "vsr-dist {}; {} rank{}",
            program_version(),
            ranks.size(),
            ranks.size() == 1 ? "" : "s");
  for (const auto& [key, value] : job_values(lead.job)) {
    log::debug("launcher", "{} = {}", key, value);
  }
  log::info("launcher",
            "{}: {} frames of {} at {} fps, {}",
            lead.job.input.file,
            timeline.frames(),
            to_string(timeline.format),
            to_string(timeline.rate),
            to_string(timeline.colour.matrix));
  log::info("launcher",
            "{} segments to {} mezzanines of {}, windows of up to {} frames, overlap {}",
            plan.segments.size(),
            to_string(lead.job.segment.codec),
            to_string(plan.picture),
            plan.max_seq_len,
            plan.overlap);
}

void check_space(const Lead& lead, const std::vector<std::optional<store::Record>>& records) {
  const auto& segments = lead.prepared.plan.segments;
  std::int64_t left = 0;
  for (std::size_t i = 0; i < segments.size(); ++i)
    left += records[i] ? 0 : segments[i].input.size();
  if (left == 0) return;
  const double share =
      static_cast<double>(left) / static_cast<double>(lead.prepared.plan.timeline_frames);
  const double needed =
      static_cast<double>(mezzanine_bytes(lead.job, lead.prepared.plan)) * std::min(1.0, share);
  const double free = static_cast<double>(free_bytes(lead.directory->root()));
  if (free < needed) {
    log::warning("store",
                 "{} has {:.1f} GB free and the mezzanines will take about {:.1f} GB",
                 lead.directory->root().string(),
                 free / 1e9,
                 needed / 1e9);
  }
}

// Has every segment made that the ledger lacks; gives the whole ledger. Throws Error.
std::vector<std::optional<store::Record>> make_segments(const Lead& lead,
                                                        cluster::Communicator& communicator,
                                                        Signals& signals,
                                                        SegmentRunner& runner) {
  const store::Plan& plan = lead.prepared.plan;
  const std::string extension = media::mezzanine_extension(codec_of(lead.job.segment.codec));
  auto records = read_ledger(*lead.directory, plan, extension);
  cluster::Tasks tasks;
  int kept = 0;
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    tasks.weights.push_back(plan.segments[i].core.size());
    tasks.done.push_back(records[i].has_value());
    kept += records[i] ? 1 : 0;
  }
  if (kept > 0) log::info("launcher", "{} of {} segments are kept", kept, plan.segments.size());
  check_space(lead, records);
  const auto begin = std::chrono::steady_clock::now();
  const cluster::SegmentOutcome end = cluster::coordinate(
      communicator, tasks, std::ref(runner), signals.stop(), [&](const cluster::Progress& p) {
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        if (p.done > kept && p.done < p.total) {
          log::info("cluster",
                    "{} of {} segments; about {:.0f} s left",
                    p.done,
                    p.total,
                    seconds / (p.done - kept) * (p.total - p.done));
        }
      });
  if (!end.ok) throw Error(end.code, end.message);
  records = read_ledger(*lead.directory, plan, extension);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!records[i]) {
      throw Error(
          ErrorCode::kStorage,
          format("segment {} was committed and is damaged now; start again to make it anew", i));
    }
  }
  return records;
}

// Removes the segments whose packets are not what their records say; false if all are good.
bool discard_damaged(const Lead& lead,
                     const std::vector<std::optional<store::Record>>& records,
                     const std::string& extension) {
  bool found = false;
  for (const auto& record : records) {
    const int index = record->segment.index;
    const auto damage = media::find_damage(lead.directory->mezzanine(index, extension),
                                           codec_of(lead.job.segment.codec),
                                           record->checksums);
    if (!damage) continue;
    found = true;
    log::warning("store", "segment {} has to be made again: {}", index, *damage);
    lead.directory->discard(index, extension);
  }
  return found;
}

// `started` is set once the other ranks are at work and wait to be dismissed.
int lead_film(const Arguments& arguments,
              cluster::Communicator& communicator,
              Signals& signals,
              bool& started) {
  const auto answers =
      cluster::gather(communicator,
                      encode(own_resources(communicator.local_rank(), communicator.local_size())),
                      kGatherTimeout_s);
  std::vector<Resources> ranks;
  for (const std::string& answer : answers) ranks.push_back(decode_resources(answer));
  Lead lead;
  std::string start;
  try {
    lead = open_run(arguments, ranks, signals.stop());
    start = encode_start(lead.job, lead.prepared.plan);
  } catch (const Error& error) {
    start = encode_start_failure(error);
    communicator.broadcast(start);
    throw;
  }
  communicator.broadcast(start);
  started = true;
  configure_log(arguments, *lead.directory, 0);
  introduce(lead, ranks);

  const store::Plan& plan = lead.prepared.plan;
  const std::string extension = media::mezzanine_extension(codec_of(lead.job.segment.codec));
  const std::string identity = final_identity(lead.job, plan);
  if (const auto films = finished_films(*lead.directory, identity)) {
    log::info("launcher", "the film is made already");
    for (const fs::path& film : *films) log::info("launcher", "{}", film.string());
    return 0;
  }

  SegmentRunner runner(lead.job, plan, *lead.directory, communicator, signals.stop());
  assemble::AssembleResult result;
  for (int round = 1;; ++round) {
    const auto records = make_segments(lead, communicator, signals, runner);
    fs::remove(lead.directory->final_stamp());
    try {
      result = make_films(assemble_spec(lead.job, lead.prepared, lead.directory->final_dir()),
                          *lead.directory,
                          plan,
                          records,
                          signals.stop());
      break;
    } catch (const Error& error) {
      // A mezzanine that went bad after its commit is made again, once.
      if (error.code() != ErrorCode::kStorage || round > 1 ||
          !discard_damaged(lead, records, extension)) {
        throw;
      }
    }
  }
  write_stamp(*lead.directory, identity, result.files);
  if (!lead.job.segment.keep) {
    for (const Segment& segment : plan.segments) lead.directory->discard(segment.index, extension);
  }
  for (const fs::path& film : result.files) log::info("launcher", "made {}", film.string());
  return 0;
}

int follow_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  cluster::gather(communicator,
                  encode(own_resources(communicator.local_rank(), communicator.local_size())),
                  kGatherTimeout_s);
  std::string bytes;
  communicator.broadcast(bytes);
  const auto start = decode_start(bytes);
  if (!start) return 0;  // rank 0 has said why
  const store::RunDirectory directory(start->job.run.dir);
  configure_log(arguments, directory, communicator.rank());
  SegmentRunner runner(start->job, start->plan, directory, communicator, signals.stop());
  cluster::serve(communicator, std::ref(runner), signals.stop());
  return 0;
}

}  // namespace

Job job_of(const Arguments& arguments) {
  const KeyValues file =
      arguments.job_file.empty() ? KeyValues{} : read_job_file(arguments.job_file);
  // Whole names: what is printed, logged and told to other ranks means the same everywhere.
  const fs::path here = fs::current_path();
  const fs::path base = (here / arguments.job_file).parent_path();
  Job job = make_job(file, arguments.values, base.string(), here.string());
  if (job.run.dir.empty()) {
    const fs::path named =
        arguments.job_file.empty() ? fs::path(job.input.file) : fs::path(arguments.job_file);
    job.run.dir = (here / "runs" / named.stem()).string();
  }
  return job;
}

int run_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  if (communicator.rank() != 0) return follow_film(arguments, communicator, signals);
  bool started = false;
  try {
    const int status = lead_film(arguments, communicator, signals, started);
    cluster::dismiss(communicator);
    return status;
  } catch (...) {
    if (started) cluster::dismiss(communicator);
    throw;
  }
}

namespace {

// "40 s", "12 min", "3.4 h".
std::string duration_text(double seconds) {
  if (seconds < 90) return format("{:.0f} s", seconds);
  if (seconds < 90 * 60) return format("{:.0f} min", seconds / 60);
  return format("{:.1f} h", seconds / 3600);
}

}  // namespace

int print_dry_run(const Arguments& arguments) {
  const Job job = job_of(arguments);
  const std::vector<Resources> ranks = {own_resources(0, 1)};
  const Prepared prepared = prepare_dry(job, ranks);
  const store::Plan& plan = prepared.plan;
  const media::Timeline& timeline = prepared.timeline;
  assemble::validate(assemble_spec(job, prepared, fs::path(job.run.dir) / "final"));
  const model::DeviceSpec device = choose_device(job.stream.device, 0);
  const model::UpscalerOptions options = upscaler_options(job, timeline, device);
  std::size_t windows = 0;
  std::int64_t computed = 0;
  for (const Segment& segment : plan.segments) {
    for (const Window& window : plan_windows(segment, plan.max_seq_len, plan.overlap)) {
      ++windows;
      computed += window.input.size();
    }
  }
  const double gflop =
      model::network_gflop(prepared.network, timeline.format) * static_cast<double>(computed);
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
       format("x{} c{} n{} on {}, {}",
              prepared.network.scale(),
              prepared.network.mid_channels,
              prepared.network.num_blocks,
              device.cuda ? gpu::device_info(device.index).name : "the CPU",
              to_string(options.precision)));
  line("plan",
       format("{} segments of about {} frames, {} windows of up to {}, {:.1f}% computed twice",
              plan.segments.size(),
              job.segment.frames,
              windows,
              plan.max_seq_len,
              100.0 * static_cast<double>(computed - plan.timeline_frames) /
                  static_cast<double>(plan.timeline_frames)));
  line("memory",
       format("{:.2f} GB of {} memory a window",
              static_cast<double>(
                  model::Upscaler::window_bytes(prepared.network, options, plan.max_seq_len)) /
                  1e9,
              device.cuda ? "GPU" : "host"));
  line("work",
       format("{:.1f} TFLOP, {:.3f} a frame",
              gflop / 1e3,
              gflop / 1e3 / static_cast<double>(computed)));
  const double gflop_per_s =
      measure_gflop_per_s(model::Checkpoint::read(checkpoint_file(job.model.checkpoint)), options);
  line("time",
       format(
           "about {} of upscaling here, {:.2f} fps (by a short window: {:.2f} TFLOP/s); the final "
           "encode comes after it",
           duration_text(gflop / gflop_per_s),
           static_cast<double>(plan.timeline_frames) * gflop_per_s / gflop,
           gflop_per_s / 1e3));
  line("disk",
       format("about {:.1f} GB of {} mezzanines in {}",
              static_cast<double>(mezzanine_bytes(job, plan)) / 1e9,
              to_string(job.segment.codec),
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
