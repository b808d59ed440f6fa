#include "film_job.hpp"

#include "chunk_runner.hpp"
#include "final_films.hpp"
#include "planning.hpp"
#include "progress_teller.hpp"
#include "roles.hpp"
#include "seam_report.hpp"
#include "segment_runner.hpp"
#include "start.hpp"
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

// What every rank brings, in rank order, on rank 0; nothing elsewhere.
std::vector<std::string> gather_resources(const Arguments& arguments,
                                          cluster::Communicator& communicator) {
  return cluster::gather(
      communicator,
      encode(own_resources(
          communicator.local_rank(), communicator.local_size(), arguments.encode_only)),
      kGatherTimeout_s);
}

// --- Rank 0 ------------------------------------------------------------------------------------

// The pieces of one kind that a run is made of.
struct Pieces {
  store::Piece piece;
  media::MezzanineCodec codec;
  store::Plan plan;  // what they are made for

  std::string extension() const { return media::mezzanine_extension(codec); }

  std::string describe(int index) const {
    return format("{}segment {}", piece == store::Piece::kChunk ? "the chunk of " : "", index);
  }
};

using Ledger = std::vector<std::optional<store::Record>>;

// The ledger decides what is done: which pieces hold, now. What is wrong with one that is not done
// is told unless `not_needed` says that it does not matter.
Ledger read_ledger(const store::RunDirectory& directory,
                   const Pieces& pieces,
                   const Ledger& not_needed = {}) {
  Ledger records;
  for (const Segment& segment : pieces.plan.segments) {
    std::string why;
    records.push_back(
        directory.committed(pieces.plan, segment, pieces.extension(), &why, pieces.piece));
    if (records.back()) records.back()->seam_luma.clear();  // megabytes, of no use here
    const auto index = static_cast<std::size_t>(segment.index);
    if (!records.back() && !why.empty() && (not_needed.empty() || !not_needed[index])) {
      log::warning("store", "{} has to be made again: {}", pieces.describe(segment.index), why);
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
  std::vector<cluster::Capacity> capacities;  // by rank
  Pieces segments;
  std::optional<Pieces> chunks;  // if the film is made of such

  // What the film is joined or encoded from.
  const Pieces& film() const { return chunks ? *chunks : segments; }
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
  auto all = capacities(job, prepared.plan, ranks);
  Pieces segments{store::Piece::kSegment, codec_of(job.segment.codec), prepared.plan};
  std::optional<Pieces> chunks;
  if (makes_chunks(job)) {
    chunks = {store::Piece::kChunk, media::MezzanineCodec::kNone, chunk_plan(job, prepared.plan)};
  }
  return {.ranks = std::move(ranks),
          .job = std::move(job),
          .directory = std::move(directory),
          .lock = std::move(lock),
          .prepared = std::move(prepared),
          .capacities = std::move(all),
          .segments = std::move(segments),
          .chunks = std::move(chunks)};
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
  if (!lead.chunks) return;
  int encoders = 0;
  int upscale = 0;
  for (const cluster::Capacity& rank : lead.capacities) {
    encoders += rank.encoders;
    upscale += rank.upscales ? 1 : 0;
  }
  log::info("launcher",
            "{} of {} ranks upscale{}; the film is encoded in chunks, {} at once",
            upscale,
            lead.capacities.size(),
            upscale == 1 ? "s" : "",
            encoders);
}

// What is still to be made: segments of which there is neither mezzanine nor chunk, the chunks, and
// the films.
void check_space(const Lead& lead, const Ledger& segments, const Ledger& chunks) {
  const store::Plan& plan = lead.prepared.plan;
  double needed = film_bytes(lead.job, plan);
  const double frame = needed / static_cast<double>(plan.timeline_frames);
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const bool encoded = lead.chunks && chunks[i];
    if (!segments[i] && !encoded) needed += segment_bytes(lead.job, plan, plan.segments[i]);
    if (lead.chunks && !encoded) {
      needed += frame * static_cast<double>(plan.segments[i].core.size());
    }
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

int count(const Ledger& ledger) {
  return static_cast<int>(
      std::count_if(ledger.begin(), ledger.end(), [](const auto& r) { return r.has_value(); }));
}

// Removes a piece whose packets are not what its record says; false if it is good, or not there.
bool discard_if_damaged(const Lead& lead, const Pieces& pieces, int index) {
  const store::RunDirectory& directory = lead.directory;
  const auto record = directory.committed(pieces.plan,
                                          pieces.plan.segments.at(static_cast<std::size_t>(index)),
                                          pieces.extension(),
                                          nullptr,
                                          pieces.piece);
  if (!record) return false;
  const auto damage =
      media::find_damage(directory.mezzanine(index, pieces.extension(), pieces.piece),
                         pieces.codec,
                         record->checksums);
  if (!damage) return false;
  log::warning("store", "{} has to be made again: {}", pieces.describe(index), *damage);
  directory.discard(index, pieces.extension(), pieces.piece);
  return true;
}

// Has the ranks make what the ledger lacks.
cluster::SegmentOutcome work_off(const Lead& lead,
                                 cluster::Communicator& communicator,
                                 Signals& signals,
                                 const cluster::Runner& runner) {
  const Ledger chunks = lead.chunks ? read_ledger(lead.directory, *lead.chunks) : Ledger();
  const Ledger segments = read_ledger(lead.directory, lead.segments, chunks);
  cluster::Tasks tasks{.ranks = lead.capacities};
  for (std::size_t i = 0; i < segments.size(); ++i) {
    tasks.weights.push_back(lead.prepared.plan.segments[i].core.size());
    // A mezzanine may be gone once its chunk is there.
    tasks.done.push_back(segments[i] || (lead.chunks && chunks[i]));
    if (lead.chunks) tasks.encoded.push_back(chunks[i].has_value());
  }
  const auto kept = static_cast<int>(std::count(tasks.done.begin(), tasks.done.end(), true));
  if (kept > 0) log::info("launcher", "{} of {} segments are kept", kept, segments.size());
  if (count(chunks) > 0) log::info("launcher", "{} chunks are kept", count(chunks));
  check_space(lead, segments, chunks);
  ProgressTeller teller(
      lead.ranks, kept, lead.chunks ? count(chunks) : static_cast<int>(segments.size()));
  return cluster::coordinate(communicator, tasks, runner, signals.stop(), std::ref(teller));
}

// Has everything made that the ledger lacks; gives the whole ledger of what the film is made of.
// Throws Error.
std::vector<store::Record> make_pieces(const Lead& lead,
                                       cluster::Communicator& communicator,
                                       Signals& signals,
                                       const cluster::Runner& runner) {
  for (int round = 1;; ++round) {
    const cluster::SegmentOutcome end = work_off(lead, communicator, signals, runner);
    if (end.ok) break;
    // A mezzanine that went bad after its commit is made again, once.
    const bool again = round == 1 && end.work == cluster::Work::kEncode &&
                       end.code == ErrorCode::kStorage &&
                       discard_if_damaged(lead, lead.segments, end.segment);
    if (!again) throw Error(end.code, end.message);
  }
  std::vector<store::Record> records;
  for (auto& record : read_ledger(lead.directory, lead.film())) {
    if (!record) {
      throw Error(ErrorCode::kStorage,
                  format("{} was committed and is damaged now; start again to make it anew",
                         lead.film().describe(static_cast<int>(records.size()))));
    }
    records.push_back(std::move(*record));
  }
  return records;
}

// From the segments' records, whether or not their mezzanines are kept.
void tell_of_seams(const Lead& lead) {
  std::vector<store::Record> records;
  for (const Segment& segment : lead.prepared.plan.segments) {
    auto record = lead.directory.recorded(lead.segments.plan, segment, nullptr);
    if (!record) return;
    records.push_back(std::move(*record));
  }
  const SeamReport report = report_seams(records);
  for (const std::string& line : report.figures) log::debug("assemble", "{}", line);
  for (const std::string& warning : report.warnings) log::warning("assemble", "{}", warning);
  if (!report.summary.empty()) log::info("assemble", "{}", report.summary);
}

// Tells everyone what is to be done. When that cannot be found out, the others are told so and the
// error goes on; Error(kCluster) means that they cannot be told either.
Lead start_ranks(const Arguments& arguments,
                 cluster::Communicator& communicator,
                 Signals& signals) {
  try {
    const auto answers = gather_resources(arguments, communicator);
    std::vector<Resources> ranks;
    ranks.reserve(answers.size());
    for (const std::string& answer : answers) ranks.push_back(decode_resources(answer));
    Lead lead = open_run(arguments, std::move(ranks), signals.stop());
    std::string start = encode_start({lead.job, lead.prepared.plan, lead.capacities});
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

// A rank's own part of the work, as its capacity says.
class RankWork {
 public:
  RankWork(const Job& job,
           const store::Plan& plan,
           const store::RunDirectory& directory,
           const cluster::Communicator& communicator,
           const cluster::Capacity& capacity,
           const std::atomic<int>& stop)
      : segments_(job, plan, directory, communicator, stop),
        chunks_(
            job,
            plan,
            directory,
            communicator.rank(),
            std::max(1, cpus_of_rank(communicator.local_size()) / std::max(1, capacity.encoders)),
            stop) {}

  cluster::SegmentOutcome operator()(const cluster::Task& task,
                                     const std::function<void()>& next_may_begin) {
    return task.work == cluster::Work::kEncode
               ? chunks_(task.segment, task.attempt)
               : segments_(task.segment, task.attempt, next_may_begin);
  }

 private:
  SegmentRunner segments_;
  ChunkRunner chunks_;
};

int lead_film(const Arguments& arguments,
              const Lead& lead,
              cluster::Communicator& communicator,
              Signals& signals) {
  configure_log(arguments, lead.directory, 0);
  introduce(lead);

  const store::Plan& plan = lead.prepared.plan;
  const std::string identity = final_identity(lead.job, lead.film().plan);
  if (const auto films = finished_films(lead.directory, identity)) {
    log::info("launcher", "the film is made already");
    for (const fs::path& film : *films) log::info("launcher", "{}", film.string());
    return 0;
  }

  RankWork work(
      lead.job, plan, lead.directory, communicator, lead.capacities.at(0), signals.stop());
  assemble::AssembleSpec spec =
      assemble_spec(lead.job, plan, lead.prepared.timeline, lead.directory.final_dir());
  spec.codec = lead.film().codec;
  assemble::AssembleResult result;
  for (int round = 1;; ++round) {
    const auto records = make_pieces(lead, communicator, signals, std::ref(work));
    tell_of_seams(lead);
    fs::remove(lead.directory.final_stamp());
    try {
      result = make_films(
          spec, lead.directory, lead.film().plan, lead.film().piece, records, signals.stop());
      break;
    } catch (const Error& error) {
      // What went bad after its commit is made again, once.
      if (error.code() != ErrorCode::kStorage || round > 1) throw;
      bool found = false;
      for (const Segment& segment : plan.segments) {
        if (discard_if_damaged(lead, lead.film(), segment.index)) found = true;
      }
      if (!found) throw;
    }
  }
  write_stamp(lead.directory, identity, result.files);
  if (!lead.job.segment.keep) {
    for (const Segment& segment : plan.segments) {
      lead.directory.discard(segment.index, lead.segments.extension());
      if (!lead.chunks) continue;
      lead.directory.discard(segment.index, lead.chunks->extension(), lead.chunks->piece);
    }
  }
  for (const fs::path& film : result.files) log::info("launcher", "made {}", film.string());
  return 0;
}

int follow_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  gather_resources(arguments, communicator);
  std::string bytes;
  communicator.broadcast(bytes);
  const auto start = decode_start(bytes);
  if (!start) return 0;  // rank 0 has said why
  const store::RunDirectory directory(start->job.run.dir);
  configure_log(arguments, directory, communicator.rank());
  const cluster::Capacity& capacity =
      start->capacities.at(static_cast<std::size_t>(communicator.rank()));
  RankWork work(start->job, start->plan, directory, communicator, capacity, signals.stop());
  cluster::serve(communicator, std::ref(work), capacity, signals.stop());
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
