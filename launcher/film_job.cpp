#include "film_job.hpp"

#include "chunk_runner.hpp"
#include "final_films.hpp"
#include "ledger.hpp"
#include "open_run.hpp"
#include "planning.hpp"
#include "progress_teller.hpp"
#include "rank_storage.hpp"
#include "rank_teller.hpp"
#include "roles.hpp"
#include "run_book.hpp"
#include "run_gate.hpp"
#include "run_terminal.hpp"
#include "run_watch.hpp"
#include "seam_report.hpp"
#include "segment_runner.hpp"
#include "space.hpp"
#include "start.hpp"
#include "status_board.hpp"
#include "status_page.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/printable.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/status/live_block.hpp"
#include "vsr/status/terminal.hpp"
#include "vsr/store/run_directory.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

log::Settings log_settings(const Arguments& arguments,
                           const store::RunDirectory& directory,
                           int rank,
                           const std::string& job_name) {
  return {.terminal =
              rank == 0 ? arguments.log_level : std::max(arguments.log_level, log::Level::kWarning),
          .file = log::Level::kDebug,
          .path = directory.log_file(rank, job_name).string(),
          .rank = rank,
          .json = arguments.log_json};
}

const char* name_of(log::Level level) {
  return level == log::Level::kWarning ? "warning" : "error";
}

// The log with other settings, for as long as this lives.
class LogMeanwhile {
 public:
  LogMeanwhile(log::Settings usual, const log::Settings& now) : usual_(std::move(usual)) {
    log::configure(now);
  }

  ~LogMeanwhile() {
    try {
      log::configure(usual_);
    } catch (const std::exception&) {  // the file cannot be opened any more
      // Not as it is now: what that writes to is about to go.
      usual_.path.clear();
      usual_.file = log::Level::kOff;
      try {
        log::configure(usual_);
      } catch (const std::exception&) {  // nothing is left to try
      }
    }
  }

  LogMeanwhile(const LogMeanwhile&) = delete;
  LogMeanwhile& operator=(const LogMeanwhile&) = delete;

 private:
  log::Settings usual_;
};

// What the rank tells of itself as it does its capacity's part of the job.
std::shared_ptr<RankTeller> make_teller(const Job& job,
                                        const cluster::Communicator& communicator,
                                        const cluster::Capacity& capacity) {
  RankTeller::Rank rank{.rank = communicator.rank(),
                        .host = host_name(),
                        .cpus = capacity.cpus,
                        .gpu = "",
                        .gpu_id = ""};
  try {
    const auto device = choose_device(job.stream.device, communicator.local_rank());
    if (capacity.upscales && device.cuda) {
      const gpu::DeviceInfo card = gpu::device_info(device.index);
      rank.gpu = card.name;
      rank.gpu_id = card.id;
    }
  } catch (const Error& error) {  // which its first segment will meet
    log::debug("gpu", "{}", error.what());
  }
  return std::make_shared<RankTeller>(std::move(rank));
}

// --- Rank 0 ------------------------------------------------------------------------------------

// What a segment's chunk will take, roughly.
double chunk_bytes(const Lead& lead, const Segment& segment) {
  const store::Plan& plan = lead.prepared.plan;
  const double frame = film_bytes(lead.job, plan) / static_cast<double>(plan.timeline_frames);
  return frame * static_cast<double>(segment.core.size());
}

// What is still to be made: segments of which there is neither mezzanine nor chunk, the chunks, and
// the films.
void check_space(const Lead& lead, const Ledger& segments, const Ledger& chunks) {
  const store::Plan& plan = lead.prepared.plan;
  double needed = film_bytes(lead.job, plan);
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const bool encoded = lead.chunks && chunks[i];
    if (!segments[i] && !encoded) needed += segment_bytes(lead.job, plan, plan.segments[i]);
    if (lead.chunks && !encoded) needed += chunk_bytes(lead, plan.segments[i]);
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

// If they are made already.
std::optional<std::vector<fs::path>> films_of(const Lead& lead) {
  return finished_films(lead.directory, final_identity(lead.job, lead.film().plan));
}

// Tells everyone what is to be done. When that cannot be found out, the others are told so and the
// error goes on; Error(kCluster) means that they cannot be told either.
// The page is there, and its address and token are right, before anything is begun. `live`: rank 0
// has a live block.
Lead start_ranks(const Arguments& arguments,
                 cluster::Communicator& communicator,
                 Signals& signals,
                 std::unique_ptr<StatusPage>& page,
                 bool live) {
  try {
    std::vector<Resources> ranks = gather_resources(arguments, communicator);
    page = std::make_unique<StatusPage>(job_of(arguments));
    Lead lead = open_run(arguments, std::move(ranks), signals.stop());
    if (!films_of(lead)) {
      lead.weights = offer_weights(lead.job, lead.prepared.plan, lead.ranks, lead.capacities);
    }
    std::string start = encode_start(
        {lead.job, lead.prepared.plan, lead.capacities, lead.weights.offer, live, lead.job_name});
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
           RankStorage& storage,
           const cluster::Communicator& communicator,
           int cpus,
           std::string weights,
           RankTeller& teller,
           const std::atomic<int>& stop)
      : plan_(plan),
        storage_(storage),
        teller_(teller),
        segments_(job, plan, storage, communicator, cpus, std::move(weights), stop),
        chunks_(job, plan, storage, communicator.rank(), cpus, stop) {}

  cluster::SegmentOutcome operator()(const cluster::Task& task,
                                     const std::function<void()>& next_may_begin) {
    RankTeller::Hand hand(teller_, task, plan_.segments.at(static_cast<std::size_t>(task.segment)));
    try {
      return storage_.make(task, [&] {
        return task.work == cluster::Work::kEncode
                   ? chunks_(task, hand.gauge().encoded_frames)
                   : segments_(task.segment, task.attempt, next_may_begin, hand.gauge().segment);
      });
    } catch (const Error&) {
      if (!storage_.is_made(task)) throw;
      // By another rank or job, which took this one for dead and swept its files away.
      return {.work = task.work, .segment = task.segment, .ok = true};
    }
  }

 private:
  const store::Plan& plan_;
  RankStorage& storage_;
  RankTeller& teller_;
  SegmentRunner segments_;
  ChunkRunner chunks_;
};

// Rank 0's way from an open run to the films.
class FilmMaker {
 public:
  FilmMaker(const Lead& lead,
            RunBook* book,
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
        space_(lead.directory.root(), bytes_kept_free(lead.job)) {}

  // The films. Throws Error.
  std::vector<fs::path> make() {
    for (int round = 1; !is_made(); ++round) {
      make_pieces();
      if (!hold_the_end()) break;
      const Ledger ledger = read_ledger(lead_.directory, lead_.film());
      if (count(ledger) == static_cast<int>(ledger.size()) && join(ledger, round)) break;
      if (round == kMostRounds) {
        throw Error(ErrorCode::kStorage,
                    format("what was committed in {} was damaged or gone afterwards, {} times in a "
                           "row: is the disk sound, and does anybody else write there?",
                           lead_.directory.root().string(),
                           round));
      }
      lead_.leases->release(kFinalLease);
    }
    const auto films = this->films();
    if (!films) {
      throw Error(ErrorCode::kStorage,
                  format("{}: the films were there and are gone: does anybody else write there?",
                         lead_.directory.final_dir().string()));
    }
    if (!lead_.job.segment.keep) {
      if (book_ != nullptr) book_->read_all();
      discard_pieces();
    }
    return *films;
  }

 private:
  // Pieces that go bad after their commit are made again, but not for ever.
  static constexpr int kMostRounds = 3;

  // If they are made.
  std::optional<std::vector<fs::path>> films() const {
    return finished_films(lead_.directory, identity_);
  }

  bool is_made() const { return films().has_value(); }

  // Has the ranks make what the ledger lacks; or other jobs, if they are at it.
  void make_pieces() {
    for (int round = 1;; ++round) {
      const cluster::SegmentOutcome end = work_off();
      if (end.ok) return;
      // A mezzanine that went bad, or away, after its commit is made again.
      const bool again = round < kMostRounds && end.work == cluster::Work::kEncode &&
                         end.code == ErrorCode::kStorage && has_to_be_made_again(end.segment);
      if (!again) throw Error(end.code, end.message);
    }
  }

  bool has_to_be_made_again(int segment) const {
    return discard_if_damaged(lead_.directory, lead_.segments, segment) ||
           !lead_.directory.committed(
               lead_.segments.plan,
               lead_.segments.plan.segments.at(static_cast<std::size_t>(segment)),
               nullptr);
  }

  cluster::SegmentOutcome work_off() {
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
    RunGate gate(
        lead_.directory, *lead_.leases, space_, kinds(tasks), [this] { return is_made(); });
    tasks.gate = &gate;
    tasks.silence_s = lead_.job.cluster.patience_s;
    tasks.watcher = &board_;
    board_.begin_list(segments, chunks);
    ProgressTeller teller(lead_.ranks, encode_follows(lead_.job));
    const auto tell = [&](const cluster::Progress& now) {
      teller(now);
      if (book_ != nullptr) book_->changed();
      board_.progress(now);
    };
    return cluster::coordinate(communicator_, tasks, runner_, signals_.stop(), tell);
  }

  std::vector<RunGate::Kind> kinds(const cluster::Tasks& tasks) const {
    std::vector<RunGate::Kind> kinds;
    if (lead_.chunks) {
      const auto bytes = [this](const Segment& segment) { return chunk_bytes(lead_, segment); };
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

  // Of several jobs one joins the film, the others wait for it. False: it is made.
  bool hold_the_end() {
    if (lead_.leases->wait_for(kFinalLease, "for the film to be joined", signals_.stop(), [this] {
          return is_made();
        })) {
      return !is_made();
    }
    if (is_made()) return false;
    throw Error(ErrorCode::kInterrupted, "stopped before the film was joined; nothing is lost");
  }

  // The films of all pieces. False when some turn out damaged, which are removed then.
  bool join(const Ledger& ledger, int round) {
    tell_of_seams(lead_);
    std::vector<store::Record> records;
    for (const auto& record : ledger) records.push_back(*record);
    try {
      join_with_room(records);
      return true;
    } catch (const DiskFull&) {
      throw;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kStorage || round == kMostRounds) throw;
      bool found = false;
      for (const Segment& segment : lead_.prepared.plan.segments) {
        if (discard_if_damaged(lead_.directory, lead_.film(), segment.index)) found = true;
      }
      if (!found) throw;
      return false;
    }
  }

  // A job that was taken for dead may still be writing films: each has a folder of its own.
  void join_with_room(const std::vector<store::Record>& records) {
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

  double bytes_of_films(const std::vector<store::Record>& records) const {
    const double guess = film_bytes(lead_.job, lead_.prepared.plan);
    if (!lead_.chunks) return guess;
    double bytes = 0;  // the chunks are the film's picture
    for (const store::Record& record : records) bytes += static_cast<double>(record.bytes);
    return std::min(guess, 1.1 * bytes * static_cast<double>(lead_.job.final.variants.size()));
  }

  void publish_films(const std::vector<fs::path>& made) {
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

  // Every job does, since each may have made one that another had made and discarded.
  void discard_pieces() const {
    for (const Segment& segment : lead_.prepared.plan.segments) {
      lead_.directory.discard(segment.index);
      if (lead_.chunks) lead_.directory.discard(segment.index, lead_.chunks->piece);
    }
  }

  const Lead& lead_;
  RunBook* const book_;  // may be null
  StatusBoard& board_;
  cluster::Communicator& communicator_;
  Signals& signals_;
  const cluster::Runner& runner_;
  const std::string identity_;  // of the films
  Space space_;
};

// How the run ends is what its status says from then on.
std::vector<fs::path> make_watched(FilmMaker& maker, RunWatch& watch) {
  try {
    std::vector<fs::path> films = maker.make();
    for (const fs::path& film : films) watch.board()->film_made(film.filename().string());
    watch.end("done", "");
    return films;
  } catch (const Error& error) {
    const bool stopped = error.code() == ErrorCode::kInterrupted;
    watch.end(stopped ? "interrupted" : "failed", error.what());
    throw;
  } catch (const std::exception& error) {
    watch.end("failed", error.what());
    throw;
  }
}

// Beside a live block the log keeps to warnings, unless somebody asked for more; the other ranks'
// come here. Warnings of all ranks go into the run's book.
log::Settings settings_beside(const std::shared_ptr<status::LiveBlock>& block,
                              const std::shared_ptr<StatusBoard>& board,
                              const RunBook::NoteTaker& note,
                              const Arguments& arguments,
                              log::Settings settings) {
  settings.observer = [board, note](
                          log::Level level, std::string_view room, std::string_view text) {
    const status::Notice notice{utc_now(), name_of(level), 0, format("{}: {}", room, text)};
    board->notice(notice);
    note(notice);
  };
  board->on_notice([block, note](const status::Notice& notice) {
    note(notice);
    if (!block) return;
    const std::string time = notice.time.size() > 19 ? notice.time.substr(11, 8) : notice.time;
    block->print(
        format("{} {} [{}] {}\n", time, notice.level, notice.rank, printable(notice.text)));
  });
  if (!block) return settings;
  if (!arguments.log_level_given) settings.terminal = log::Level::kWarning;
  settings.colour = log::may_colour(block->descriptor());
  settings.terminal_writer = [block](std::string_view line) { block->print(line); };
  return settings;
}

// Null where it cannot be begun: no run fails for want of it.
std::unique_ptr<RunBook> begin_book(const Lead& lead) noexcept {
  try {
    return std::make_unique<RunBook>(lead);
  } catch (const std::exception& error) {
    log::warning("store", "the run has no ledger and no report: {}", error.what());
    return nullptr;
  }
}

int lead_film(const Arguments& arguments,
              Lead& lead,
              RunBook* book,
              StatusPage& page,
              const Terminal* terminal,
              cluster::Communicator& communicator,
              Signals& signals) {
  const log::Settings usual = log_settings(arguments, lead.directory, 0, lead.job_name);
  log::configure(usual);
  introduce(lead);
  std::string weights = share_weights(communicator,
                                      lead.job,
                                      lead.prepared.plan,
                                      lead.capacities,
                                      lead.weights.offer,
                                      std::move(lead.weights.bytes));
  if (const auto films = films_of(lead)) {
    log::info("launcher", "the film is made already");
    for (const fs::path& film : *films) log::info("launcher", "{}", film.string());
    return 0;
  }
  RankStorage storage(
      lead.job, lead.prepared.plan, communicator, lead.capacities.at(0), signals.stop());
  const std::shared_ptr<RankTeller> own =
      make_teller(lead.job, communicator, lead.capacities.at(0));
  RankWork work(lead.job,
                lead.prepared.plan,
                storage,
                communicator,
                lead.capacities.at(0).cpus,
                std::move(weights),
                *own,
                signals.stop());
  const cluster::Runner runner = std::ref(work);
  const auto block =
      terminal == nullptr ? nullptr : std::make_shared<status::LiveBlock>(terminal->descriptor());
  std::vector<fs::path> films;
  std::string closing;
  {
    RunWatch watch(arguments, lead, *own, terminal, block);
    RunBook::NoteTaker note = [](const status::Notice&) {};
    if (book != nullptr) note = book->note_taker();
    const LogMeanwhile log(usual, settings_beside(block, watch.board(), note, arguments, usual));
    page.show(watch.board(), lead.directory, static_cast<int>(lead.prepared.plan.segments.size()));
    FilmMaker maker(lead, book, *watch.board(), communicator, signals, runner);
    films = make_watched(maker, watch);
    closing = status::closing_line(watch.board()->status());
  }
  log::info("launcher", "{}", closing);
  for (const fs::path& film : films) log::info("launcher", "made {}", film.string());
  return 0;
}

int follow_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  gather_resources(arguments, communicator);
  std::string bytes;
  communicator.broadcast(bytes);
  const auto start = decode_start(bytes);
  if (!start) return 0;  // rank 0 has said why
  const cluster::Capacity& capacity =
      start->capacities.at(static_cast<std::size_t>(communicator.rank()));
  RankStorage storage(start->job, start->plan, communicator, capacity, signals.stop());
  const log::Settings usual =
      log_settings(arguments, storage.directory(), communicator.rank(), start->job_name);
  log::configure(usual);
  std::string weights =
      share_weights(communicator, start->job, start->plan, start->capacities, start->weights);
  const std::shared_ptr<RankTeller> own = make_teller(start->job, communicator, capacity);
  RankWork work(start->job,
                start->plan,
                storage,
                communicator,
                capacity.cpus,
                std::move(weights),
                *own,
                signals.stop());
  log::Settings heard = usual;
  heard.observer = [own](log::Level level, std::string_view room, std::string_view text) {
    own->notice(name_of(level), format("{}: {}", room, text));
  };
  if (start->live) heard.terminal = log::Level::kOff;  // rank 0 says it
  const LogMeanwhile log(usual, heard);
  cluster::serve(communicator, std::ref(work), capacity, signals.stop(), storage.far(), [&] {
    return own->told();
  });
  return 0;
}

}  // namespace

int run_film(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  if (communicator.rank() != 0) return follow_film(arguments, communicator, signals);
  const std::unique_ptr<Terminal> terminal = terminal_for(arguments);
  std::unique_ptr<StatusPage> page;
  Lead lead = start_ranks(arguments, communicator, signals, page, terminal != nullptr);
  const std::unique_ptr<RunBook> book = begin_book(lead);
  const auto end_book = [&](int status, const std::string& message) {
    if (book) book->end(status, message);
  };
  try {
    const int status =
        lead_film(arguments, lead, book.get(), *page, terminal.get(), communicator, signals);
    cluster::dismiss(communicator);
    end_book(status, "");
    return status;
  } catch (const Error& error) {
    cluster::dismiss(communicator);
    const bool stopped = error.code() == ErrorCode::kInterrupted;
    end_book(stopped ? signals.exit_status() : static_cast<int>(error.code()), error.what());
    throw;
  } catch (const std::exception& error) {
    cluster::dismiss(communicator);
    end_book(static_cast<int>(ErrorCode::kInternal), error.what());
    throw;
  }
}

}  // namespace vsr::launcher
