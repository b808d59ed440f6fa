#include "film_maker.hpp"

#include "encode_job.hpp"
#include "final_films.hpp"
#include "planning.hpp"
#include "progress_teller.hpp"
#include "roles.hpp"
#include "seam_report.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

// What is still to be made: segments of which there is neither mezzanine nor chunk, the chunks, and
// the films.
void check_space(const Lead& lead, const Ledger& segments, const Ledger& chunks) {
  const store::Plan& plan = lead.prepared.plan;
  double needed = film_bytes(lead.job, plan);
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const bool encoded = lead.chunks && chunks[i];
    if (!segments[i] && !encoded) needed += segment_bytes(lead.job, plan, plan.segments[i]);
    if (lead.chunks && !encoded) needed += chunk_bytes(lead.job, plan, plan.segments[i]);
  }
  const double free = static_cast<double>(free_bytes(lead.directory.root()));
  if (free < needed) {
    log::warning("store",
                 "{} has {} free, and what is still to be made will take about {}",
                 lead.directory.root().string(),
                 size_text(free),
                 size_text(needed));
  }
}

double bytes_kept_free(const Job& job) {
  if (job.run.keep_free_mb >= 0) return job.run.keep_free_mb * 1e6;
  constexpr double kUsual = 1e9;
  constexpr double kOfSmallDisk = 0.02;
  std::error_code error;
  const fs::space_info disk = fs::space(job.run.dir, error);
  return error ? kUsual : std::min(kUsual, kOfSmallDisk * static_cast<double>(disk.capacity));
}

// Of all segments that there are, whether or not their mezzanines are kept.
void tell_of_seams(const Lead& lead, RunBook& book) {
  const auto seams = book.seams();
  if (seams.size() + 1 < lead.prepared.plan.segments.size()) return;
  const SeamReport report = report_seams(seams);
  for (const std::string& line : report.figures) log::debug("assemble", "{}", line);
  for (const std::string& warning : report.warnings) log::warning("assemble", "{}", warning);
  if (!report.summary.empty()) log::info("assemble", "{}", report.summary);
}

}  // namespace

std::optional<std::vector<fs::path>> films_of(const Lead& lead) {
  return finished_films(lead.directory, final_identity(lead.job, lead.film().plan));
}

FilmMaker::FilmMaker(const Lead& lead,
                     RunBook& book,
                     StatusBoard& board,
                     cluster::Communicator& communicator,
                     Signals& signals,
                     const cluster::Runner& runner)
    : lead_(lead),
      book_(book),
      board_(board),
      communicator_(communicator),
      signals_(signals),
      runner_(runner),
      identity_(final_identity(lead.job, lead.film().plan)),
      space_(lead.directory.root(), bytes_kept_free(lead.job)),
      times_bad_(lead.prepared.plan.segments.size()) {}

std::vector<fs::path> FilmMaker::make() {
  while (!is_made()) {
    make_pieces();
    if (!hold_the_end()) break;
    const Ledger ledger = read_ledger(lead_.directory, lead_.film());
    for (std::size_t i = 0; i < ledger.size(); ++i) {
      if (ledger[i] || may_be_made_again(static_cast<int>(i))) continue;
      throw Error(
          ErrorCode::kStorage,
          format("what was committed in {} of segment {} was damaged or gone afterwards, {} "
                 "times: is the disk sound, and does anybody else write there?",
                 lead_.directory.root().string(),
                 i,
                 kMostTimesBad));
    }
    if (count(ledger) == static_cast<int>(ledger.size()) && join(ledger)) break;
    lead_.leases->release(kFinalLease);
  }
  const auto films = this->films();
  if (!films) {
    throw Error(ErrorCode::kStorage,
                format("{}: the films were there and are gone: does anybody else write there?",
                       lead_.directory.final_dir().string()));
  }
  if (!lead_.job.segment.keep) {
    book_.read_all();
    discard_pieces();
  }
  return *films;
}

std::optional<std::vector<fs::path>> FilmMaker::films() const {
  return finished_films(lead_.directory, identity_);
}

bool FilmMaker::is_made() const { return films().has_value(); }

void FilmMaker::make_pieces() {
  while (true) {
    const cluster::SegmentOutcome end = work_off();
    if (end.ok) return;
    // A mezzanine that went bad, or away, after its commit is made again.
    const bool again = end.work == cluster::Work::kEncode && end.code == ErrorCode::kStorage &&
                       has_to_be_made_again(end.segment) && may_be_made_again(end.segment);
    if (!again) throw Error(end.code, end.message);
  }
}

bool FilmMaker::may_be_made_again(int segment) {
  return ++times_bad_.at(static_cast<std::size_t>(segment)) < kMostTimesBad;
}

bool FilmMaker::has_to_be_made_again(int segment) const {
  return discard_if_damaged(lead_.directory, lead_.segments, segment) ||
         !lead_.directory.committed(
             lead_.segments.plan,
             lead_.segments.plan.segments.at(static_cast<std::size_t>(segment)),
             nullptr);
}

cluster::SegmentOutcome FilmMaker::work_off() {
  const Ledger chunks = lead_.chunks ? read_ledger(lead_.directory, *lead_.chunks) : Ledger();
  const Ledger segments = read_ledger(lead_.directory, lead_.segments, chunks);
  cluster::Tasks tasks{.ranks = lead_.capacities, .files = lead_.files.get()};
  for (std::size_t i = 0; i < segments.size(); ++i) {
    tasks.weights.push_back(lead_.prepared.plan.segments[i].core.size());
    // A mezzanine may be gone once its chunk is there.
    tasks.done.push_back(segments[i] || (lead_.chunks && chunks[i]));
    if (lead_.chunks) tasks.encoded.push_back(chunks[i].has_value());
  }
  const auto kept = static_cast<int>(std::count(tasks.done.begin(), tasks.done.end(), true));
  if (kept > 0) log::info("launcher", "{} of {} segments are kept", kept, segments.size());
  if (count(chunks) > 0) log::info("launcher", "{} chunks are kept", count(chunks));
  check_space(lead_, segments, chunks);
  UpscalerWatch upscalers(*lead_.leases, board_);
  std::function<bool(int)> looked;
  if (only_encodes(lead_.ranks)) looked = [&](int missing) { return upscalers.look(missing); };
  RunGate gate(
      lead_.directory, *lead_.leases, space_, kinds(tasks), [this] { return is_made(); }, looked);
  tasks.gate = &gate;
  tasks.silence_s = lead_.job.cluster.patience_s;
  tasks.watcher = &board_;
  board_.begin_list(segments, chunks);
  ProgressTeller teller(lead_.ranks, encode_follows(lead_.job));
  const auto tell = [&](const cluster::Progress& now) {
    teller(now);
    book_.changed();
    board_.progress(now);
  };
  return cluster::coordinate(communicator_, tasks, runner_, signals_.stop(), tell);
}

std::vector<RunGate::Kind> FilmMaker::kinds(const cluster::Tasks& tasks) const {
  std::vector<RunGate::Kind> kinds;
  if (lead_.chunks) {
    const auto bytes = [this](const Segment& segment) {
      return chunk_bytes(lead_.job, lead_.prepared.plan, segment);
    };
    kinds.push_back({cluster::Work::kEncode, *lead_.chunks, tasks.encoded, bytes});
  }
  const auto bytes = [this](const Segment& segment) {
    // At most: six JPEGs and the samples at the seams; what is measured of a frame.
    constexpr double kRecord = 1e6;
    constexpr double kMeasures = 32;
    return kRecord + kMeasures * static_cast<double>(segment.core.size()) +
           segment_bytes(lead_.job, lead_.prepared.plan, segment);
  };
  kinds.push_back({cluster::Work::kUpscale, lead_.segments, tasks.done, bytes});
  return kinds;
}

bool FilmMaker::hold_the_end() {
  if (lead_.leases->wait_for(kFinalLease, "for the film to be joined", signals_.stop(), [this] {
        return is_made();
      })) {
    return !is_made();
  }
  if (is_made()) return false;
  throw Error(ErrorCode::kInterrupted, "stopped before the film was joined; nothing is lost");
}

bool FilmMaker::join(const Ledger& ledger) {
  tell_of_seams(lead_, book_);
  std::vector<store::Record> records;
  for (const auto& record : ledger) {
    if (record) records.push_back(*record);
  }
  try {
    join_with_room(records);
    return true;
  } catch (const DiskFull&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kStorage) throw;
    bool found = false;
    bool again = true;
    for (const Segment& segment : lead_.prepared.plan.segments) {
      if (!discard_if_damaged(lead_.directory, lead_.film(), segment.index)) continue;
      found = true;
      again = may_be_made_again(segment.index) && again;
    }
    if (!found || !again) throw;
    return false;
  }
}

void FilmMaker::join_with_room(const std::vector<store::Record>& records) {
  const std::string name = "the film";
  while (true) {
    const auto waits = [this] { board_.waits_for_room(true); };  // until the films are begun
    if (!space_.wait_for(name, bytes_of_films(records), signals_.stop(), waits)) {
      throw Error(ErrorCode::kInterrupted, "stopped while it waited for room on the disk");
    }
    const fs::path folder = lead_.directory.new_final_folder();
    assemble::AssembleSpec spec =
        assemble_spec(lead_.job, lead_.prepared.plan, lead_.prepared.timeline, folder);
    spec.codec = lead_.film().codec;
    try {
      board_.joining(0);
      const auto films = make_films(
          spec,
          lead_.directory,
          lead_.film().plan,
          lead_.film().piece,
          records,
          [this](std::int64_t frames) { board_.joining(frames); },
          signals_.stop());
      publish_films(films.files);
      space_.over(name, false);
      return;
    } catch (const DiskFull& error) {
      log::warning("store", "the film has to wait: {}", error.what());
      space_.over(name, true);
      lead_.directory.sweep_final();
    } catch (...) {
      space_.over(name, false);
      lead_.directory.sweep_final();
      throw;
    }
  }
}

double FilmMaker::bytes_of_films(const std::vector<store::Record>& records) const {
  const double guess = film_bytes(lead_.job, lead_.prepared.plan);
  if (!lead_.chunks) return guess;
  double bytes = 0;  // the chunks are the film's picture
  for (const store::Record& record : records) bytes += static_cast<double>(record.bytes);
  return std::min(guess, 1.1 * bytes * static_cast<double>(lead_.job.final.variants.size()));
}

void FilmMaker::publish_films(const std::vector<fs::path>& made) {
  if (is_made()) {  // by a job that took this one for dead
    lead_.directory.sweep_final();
    return;
  }
  remove_file(lead_.directory.final_stamp());
  std::vector<fs::path> films;
  for (const fs::path& film : made) {
    films.push_back(lead_.directory.final_dir() / film.filename());
    std::error_code error;
    fs::rename(film, films.back(), error);
    if (error) {
      throw Error(
          ErrorCode::kStorage,
          format("{}: cannot be renamed into place: {}", films.back().string(), error.message()));
    }
  }
  write_stamp(lead_.directory, identity_, films);
  lead_.directory.sweep_final();
  lead_.leases->bury_dead_jobs();
}

void FilmMaker::discard_pieces() const {
  for (const Segment& segment : lead_.prepared.plan.segments) {
    lead_.directory.discard(segment.index);
    if (lead_.chunks) lead_.directory.discard(segment.index, lead_.chunks->piece);
  }
}

}  // namespace vsr::launcher
