#include "film_job.hpp"

#include "final_films.hpp"
#include "planning.hpp"
#include "segment_runner.hpp"
#include "version.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job_file.hpp"
#include "vsr/store/plan_file.hpp"
#include "vsr/store/run_directory.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr double kGatherTimeout_s = 120;

// --- What rank 0 tells the others --------------------------------------------------------------

// "ok", the job as a job file, the plan's bytes; or that there will be no start. Lengths in text,
// so that the parts need no escaping.
std::string encode_start(const Job& job, const store::Plan& plan) {
  const std::string job_text = print_job(job, false);
  return format("ok {}\n{}", job_text.size(), job_text) + store::encode_plan(plan);
}

// Rank 0 tells the user why.
std::string encode_start_failure() { return "error\n"; }

struct Start {
  Job job;
  store::Plan plan;
};

// Nothing when rank 0 failed.
std::optional<Start> decode_start(const std::string& bytes) {
  const std::size_t line = bytes.find('\n');
  if (bytes.rfind("ok ", 0) != 0 || line == std::string::npos) return std::nullopt;
  const auto job_size = static_cast<std::size_t>(std::stoull(bytes.substr(3, line - 3)));
  Start start;
  start.job = parse_job_text(bytes.substr(line + 1, job_size));
  start.plan = store::decode_plan(bytes.substr(line + 1 + job_size));
  return start;
}

// --- Rank 0 ------------------------------------------------------------------------------------

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

// Moves a run out of the way, keeping it. A folder that holds no run stays where it is, and so does
// a run at which another process works: that is an error.
void move_aside(const fs::path& directory) {
  if (!store::RunDirectory::is_at(directory)) return;
  const store::RunLock lock{store::RunDirectory(directory)};
  std::error_code error;
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
  std::vector<Resources> ranks;
  Job job;
  store::RunDirectory directory;
  std::unique_ptr<store::RunLock> lock;
  Prepared prepared;
};

Lead open_run(const Arguments& arguments,
              std::vector<Resources> ranks,
              const std::atomic<int>& stop) {
  Job job = job_of(arguments);
  // First: what is wrong with film or model is told before an old run goes away or a new one
  // begins.
  const Ingredients ingredients = look_at(job);
  if (arguments.fresh) move_aside(job.run.dir);
  store::RunDirectory directory(job.run.dir);
  std::error_code error;
  if (!job.run.resume && fs::exists(directory.plan_file(), error)) {
    throw Error(ErrorCode::kUsage,
                format("{} holds a run and run.resume is off: give another run.dir, or --fresh",
                       job.run.dir));
  }
  auto lock = std::make_unique<store::RunLock>(directory);
  const auto check = [&](const Prepared& planned) {
    assemble::validate(assemble_spec(job, planned.plan, planned.timeline, directory.final_dir()));
  };
  Prepared prepared = prepare(job, ingredients, directory, ranks, check, stop);
  write_file(directory.job_file(), print_job(job, false));
  return {
      std::move(ranks), std::move(job), std::move(directory), std::move(lock), std::move(prepared)};
}

void configure_log(const Arguments& arguments, const store::RunDirectory& directory, int rank) {
  log::configure({.terminal = rank == 0 ? arguments.log_level
                                        : std::max(arguments.log_level, log::Level::kWarning),
                  .file = log::Level::kDebug,
                  .path = directory.log_file(rank).string(),
                  .rank = rank,
                  .json = arguments.log_json});
}

void introduce(const Lead& lead) {
  const store::Plan& plan = lead.prepared.plan;
  const media::Timeline& timeline = lead.prepared.timeline;
  log::info("launcher",
            "vsr-dist {}; {} rank{}",
            program_version(),
            lead.ranks.size(),
            lead.ranks.size() == 1 ? "" : "s");
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
            "{} segments to {} of {}, windows of up to {} frames, overlap {}{}",
            plan.segments.size(),
            describe_segments(lead.job),
            to_string(plan.picture),
            plan.max_seq_len,
            plan.overlap,
            plan.tile.whole()
                ? std::string()
                : format(", in tiles of up to {}x{}", plan.tile.width, plan.tile.height));
}

void check_space(const Lead& lead, const std::vector<std::optional<store::Record>>& records) {
  const store::Plan& plan = lead.prepared.plan;
  double needed = film_bytes(lead.job, plan);
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    needed += records[i] ? 0 : segment_bytes(lead.job, plan, plan.segments[i]);
  }
  const double free = static_cast<double>(free_bytes(lead.directory.root()));
  if (free < needed) {
    log::warning("store",
                 "{} has {:.1f} GB free, and what is still to be made will take about {:.1f} GB",
                 lead.directory.root().string(),
                 free / 1e9,
                 needed / 1e9);
  }
}

// Has every segment made that the ledger lacks; gives the whole ledger. Throws Error.
std::vector<store::Record> make_segments(const Lead& lead,
                                         cluster::Communicator& communicator,
                                         Signals& signals,
                                         SegmentRunner& runner) {
  const store::Plan& plan = lead.prepared.plan;
  const std::string extension = media::mezzanine_extension(codec_of(lead.job.segment.codec));
  const auto before = read_ledger(lead.directory, plan, extension);
  cluster::Tasks tasks;
  int kept = 0;
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    tasks.weights.push_back(plan.segments[i].core.size());
    tasks.done.push_back(before[i].has_value());
    kept += before[i] ? 1 : 0;
  }
  if (kept > 0) log::info("launcher", "{} of {} segments are kept", kept, plan.segments.size());
  check_space(lead, before);
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
  std::vector<store::Record> records;
  for (auto& record : read_ledger(lead.directory, plan, extension)) {
    if (!record) {
      throw Error(ErrorCode::kStorage,
                  format("segment {} was committed and is damaged now; start again to make it anew",
                         records.size()));
    }
    records.push_back(std::move(*record));
  }
  return records;
}

// Removes the segments whose packets are not what their records say; false if all are good.
bool discard_damaged(const Lead& lead,
                     const std::vector<store::Record>& records,
                     const std::string& extension) {
  bool found = false;
  for (const store::Record& record : records) {
    const int index = record.segment.index;
    const auto damage = media::find_damage(lead.directory.mezzanine(index, extension),
                                           codec_of(lead.job.segment.codec),
                                           record.checksums);
    if (!damage) continue;
    found = true;
    log::warning("store", "segment {} has to be made again: {}", index, *damage);
    lead.directory.discard(index, extension);
  }
  return found;
}

// Tells everyone what is to be done. When that cannot be found out, the others are told so and the
// error goes on; Error(kCluster) means that they cannot be told either.
Lead start_ranks(const Arguments& arguments,
                 cluster::Communicator& communicator,
                 Signals& signals) {
  try {
    const auto answers =
        cluster::gather(communicator,
                        encode(own_resources(communicator.local_rank(), communicator.local_size())),
                        kGatherTimeout_s);
    std::vector<Resources> ranks;
    ranks.reserve(answers.size());
    for (const std::string& answer : answers) ranks.push_back(decode_resources(answer));
    Lead lead = open_run(arguments, std::move(ranks), signals.stop());
    std::string start = encode_start(lead.job, lead.prepared.plan);
    communicator.broadcast(start);
    return lead;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCluster) throw;
    std::string failure = encode_start_failure();
    communicator.broadcast(failure);
    throw;
  } catch (const std::exception& error) {
    std::string failure = encode_start_failure();
    communicator.broadcast(failure);
    throw Error(ErrorCode::kInternal, error.what());
  }
}

int lead_film(const Arguments& arguments,
              const Lead& lead,
              cluster::Communicator& communicator,
              Signals& signals) {
  configure_log(arguments, lead.directory, 0);
  introduce(lead);

  const store::Plan& plan = lead.prepared.plan;
  const std::string extension = media::mezzanine_extension(codec_of(lead.job.segment.codec));
  const std::string identity = final_identity(lead.job, plan);
  if (const auto films = finished_films(lead.directory, identity)) {
    log::info("launcher", "the film is made already");
    for (const fs::path& film : *films) log::info("launcher", "{}", film.string());
    return 0;
  }

  SegmentRunner runner(lead.job, plan, lead.directory, communicator, signals.stop());
  assemble::AssembleResult result;
  for (int round = 1;; ++round) {
    const auto records = make_segments(lead, communicator, signals, runner);
    fs::remove(lead.directory.final_stamp());
    try {
      result = make_films(
          assemble_spec(lead.job, plan, lead.prepared.timeline, lead.directory.final_dir()),
          lead.directory,
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
  write_stamp(lead.directory, identity, result.files);
  if (!lead.job.segment.keep) {
    for (const Segment& segment : plan.segments) lead.directory.discard(segment.index, extension);
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

int run_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  if (communicator.rank() != 0) return follow_film(arguments, communicator, signals);
  const Lead lead = start_ranks(arguments, communicator, signals);
  try {
    const int status = lead_film(arguments, lead, communicator, signals);
    cluster::dismiss(communicator);
    return status;
  } catch (...) {
    cluster::dismiss(communicator);
    throw;
  }
}

}  // namespace vsr::launcher
