#include "open_run.hpp"

#include "chunk_runner.hpp"
#include "encode_job.hpp"
#include "final_films.hpp"
#include "rank_storage.hpp"
#include "roles.hpp"
#include "version.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/job/job_file.hpp"

#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse_for(const store::Lease& job, const fs::path& directory) {
  throw Error(ErrorCode::kStorage,
              format("{}: another vsr-dist works in this run directory ({}); wait for it, or give "
                     "another --run.dir",
                     directory.string(),
                     describe(job)));
}

// Jobs that only encode wait for as long as it takes, so to wait for them would never end.
void refuse_for_encoders(RunLeases& leases, const fs::path& directory) {
  const auto job = leases.another_job();
  if (!job || leases.another_upscaler()) return;
  throw Error(
      ErrorCode::kStorage,
      format("{}: a job that only encodes ({}) works in this run directory, or waits there; "
             "end the jobs that only encode first, or give another --run.dir",
             directory.string(),
             describe(*job)));
}

// Moves a run out of the way, keeping it. A folder that holds no run stays where it is, and so does
// a run at which another process works: that is an error.
void move_aside(const fs::path& path, double patience_s, const std::atomic<int>& stop) {
  if (!store::RunDirectory::is_at(path)) return;
  const store::RunDirectory directory(path);
  // Here it upscales nothing, and nobody should think that it does.
  constexpr bool kOnlyEncodes = true;
  std::optional<store::RunLock> lock;
  try {
    lock.emplace(directory, store::RunLock::Hold::kAlone);
  } catch (const Error&) {
    RunLeases leases(directory, patience_s, kOnlyEncodes);
    refuse_for_encoders(leases, path);
    throw;
  }
  {
    RunLeases leases(directory, patience_s, kOnlyEncodes);  // of hosts that the lock does not reach
    if (const auto other = leases.another_living_job(stop)) {
      refuse_for_encoders(leases, path);
      refuse_for(*other, path);
    }
  }
  std::error_code error;
  for (int n = 1;; ++n) {
    const fs::path aside = format("{}.before-{}", path.string(), n);
    if (fs::exists(aside, error)) continue;
    fs::rename(path, aside, error);
    if (error) {
      throw Error(ErrorCode::kStorage,
                  format("{}: cannot be moved aside: {}", path.string(), error.message()));
    }
    log::info("launcher", "what {} held is now {}", path.string(), aside.string());
    return;
  }
}

// What jobs that share a run have to agree on; what the pictures depend on is the plan's.
std::map<std::string, std::string> shared_settings(const Job& job) {
  std::map<std::string, std::string> settings;
  for (const auto& [key, value] : job_values(job)) {
    const bool kept = key == "segment.keep" || key == "cluster.final" || key == "cluster.patience";
    if (kept || changes_final(key)) settings[key] = value;
  }
  return settings;
}

// The job that job.ini tells of; nothing where it is of another version, whose plan has been
// compared.
std::optional<Job> job_there(const store::RunDirectory& directory) {
  std::error_code error;
  if (!fs::exists(directory.job_file(), error)) return std::nullopt;
  try {
    return parse_job_text(read_file(directory.job_file()));
  } catch (const Error&) {
    return std::nullopt;
  }
}

// What job.ini is to tell. By what is upscaled, and how, is not for a job to say that only encodes.
std::string job_text(const Job& job, const std::optional<Job>& there, bool encodes) {
  if (!encodes || !there) return print_job(job, false);
  std::map<std::string, std::string> values = job_values(*there);
  for (const auto& [key, value] : shared_settings(job)) values[key] = value;
  return print_job(make_job(KeyValues(values.begin(), values.end()), {}), false);
}

// Refuses to join a job that makes another film of the same segments. Those that are still waiting
// for the start lease make none yet: they will find what this one leaves in job.ini.
void agree_with_others(const Job& job,
                       const std::optional<Job>& there,
                       const store::RunDirectory& directory,
                       RunLeases& leases,
                       const std::atomic<int>& stop) {
  if (!there) return;
  auto theirs = shared_settings(*there);
  std::string differences;
  for (const auto& [key, value] : shared_settings(job)) {
    if (theirs[key] == value) continue;
    differences += format(
        "{}{} is {} there and {} here", differences.empty() ? "" : "; ", key, theirs[key], value);
  }
  if (differences.empty()) return;
  if (const auto other = leases.another_film_maker(stop)) {
    throw Error(ErrorCode::kUsage,
                format("{}: {} is making another film here: {}; give the same settings to join it, "
                       "wait for it, or give another --run.dir",
                       directory.root().string(),
                       describe(*other),
                       differences));
  }
}

[[noreturn]] void stopped() {
  throw Error(ErrorCode::kInterrupted, "stopped before the run was planned");
}

}  // namespace

Lead open_run(Job job,
              bool fresh,
              std::vector<Resources> ranks,
              StatusPage& page,
              const std::atomic<int>& stop) {
  const bool encodes = only_encodes(ranks);
  if (encodes) check_encode_job(job, ranks, fresh);
  // First: what is wrong with film or model is told before an old run goes away or a new one
  // begins.
  const Ingredients ingredients = encodes ? look_at_film(job) : look_at(job);
  check_storage(job, ingredients.source);
  if (fresh) move_aside(job.run.dir, job.cluster.patience_s, stop);
  store::RunDirectory directory(job.run.dir);
  std::error_code error;
  if (!encodes && !job.run.resume && fs::exists(directory.plan_file(), error)) {
    throw Error(ErrorCode::kUsage,
                format("{} holds a run and run.resume is off: give another run.dir, or --fresh",
                       job.run.dir));
  }
  auto lock = std::make_unique<store::RunLock>(directory, store::RunLock::Hold::kTogether);
  auto leases = std::make_unique<RunLeases>(directory, job.cluster.patience_s, encodes);
  if (encodes && !fs::exists(directory.plan_file(), error)) {
    lock->sign();  // it may be here for long, and in somebody's way
    wait_for_plan(directory, *leases, page, stop);
  }
  // A disk without room for a lease is an error here, where nothing is begun yet.
  if (!leases->take(kStartLease) && !leases->wait_for(kStartLease, "to plan", stop)) stopped();
  const bool first = lock->was_alone() && !leases->another_job();
  const auto check = [&](const Prepared& planned) {
    assemble::validate(assemble_spec(job, planned.plan, planned.timeline, directory.final_dir()));
  };
  const auto prepare_here = [&] {
    if (!encodes) return prepare(job, ingredients, directory, ranks, check, stop);
    auto planned = prepare_to_encode(job, ingredients, directory);
    if (!planned) {
      throw Error(ErrorCode::kStorage,
                  format("{}: it was there just now, and is gone", directory.plan_file().string()));
    }
    check(*planned);
    return std::move(*planned);
  };
  Prepared prepared = prepare_here();
  const std::optional<Job> there = job_there(directory);
  agree_with_others(job, there, directory, *leases, stop);
  write_file(directory.job_file(), job_text(job, there, encodes));
  leases->makes_film();
  lock->sign();
  leases->release(kStartLease);
  auto all = capacities(job, prepared.plan, ranks);
  Pieces segments{store::Piece::kSegment, codec_of(job.segment.codec), prepared.plan};
  std::optional<Pieces> chunks;
  if (makes_chunks(job)) {
    chunks = {store::Piece::kChunk, media::MezzanineCodec::kNone, chunk_plan(job, prepared.plan)};
  }
  auto files = make_file_service(job, prepared.plan, directory, static_cast<int>(ranks.size()));
  return {.ranks = std::move(ranks),
          .job = std::move(job),
          .directory = std::move(directory),
          .lock = std::move(lock),
          .leases = std::move(leases),
          .job_name = first ? "" : format("{}-{}", host_name(), ::getpid()),
          .prepared = std::move(prepared),
          .capacities = std::move(all),
          .segments = std::move(segments),
          .chunks = std::move(chunks),
          .files = std::move(files)};
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
            "{} to {} of {}, windows of up to {} frames, overlap {}{}",
            counted(static_cast<std::int64_t>(plan.segments.size()), "segment"),
            describe_segments(lead.job),
            to_string(plan.picture),
            plan.max_seq_len,
            plan.overlap,
            plan.tile.whole()
                ? std::string()
                : format(", in tiles of up to {}x{}", plan.tile.width, plan.tile.height));
  if (!lead.chunks) return;
  int encoders = 0;
  int upscale = 0;
  for (const cluster::Capacity& rank : lead.capacities) {
    encoders += rank.encoders;
    upscale += rank.upscales ? 1 : 0;
  }
  if (only_encodes(lead.ranks)) {
    log::info("launcher", "this job only encodes, {} at once", counted(encoders, "chunk"));
    return;
  }
  log::info("launcher",
            "{} of {} ranks upscale{}; the film is encoded in chunks, {} at once",
            upscale,
            lead.capacities.size(),
            upscale == 1 ? "s" : "",
            encoders);
}

}  // namespace vsr::launcher
