#include "film_job.hpp"

#include "film_maker.hpp"
#include "open_run.hpp"
#include "rank_storage.hpp"
#include "rank_work.hpp"
#include "roles.hpp"
#include "run_book.hpp"
#include "run_log.hpp"
#include "run_terminal.hpp"
#include "run_watch.hpp"
#include "start.hpp"
#include "status_page.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/status/live_block.hpp"
#include "vsr/status/terminal.hpp"

#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

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
    Job job = job_of(arguments);
    page = std::make_unique<StatusPage>(job);
    Lead lead = open_run(std::move(job), arguments.fresh, std::move(ranks), *page, signals.stop());
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

// How the run ends is what its status says from then on, with all that was committed.
std::vector<fs::path> make_watched(FilmMaker& maker, RunBook& book, RunWatch& watch) {
  const auto end = [&](const char* state, const char* message) {
    book.catch_up();
    watch.end(state, message);
  };
  try {
    std::vector<fs::path> films = maker.make();
    for (const fs::path& film : films) watch.board()->film_made(film.filename().string());
    end("done", "");
    return films;
  } catch (const Error& error) {
    const bool stopped = error.code() == ErrorCode::kInterrupted;
    end(stopped ? "interrupted" : "failed", error.what());
    throw;
  } catch (const std::exception& error) {
    end("failed", error.what());
    throw;
  }
}

int lead_film(const Arguments& arguments,
              Lead& lead,
              RunBook& book,
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
    const LogMeanwhile log(
        usual, settings_beside(block, watch.board(), book.note_taker(), arguments, usual));
    book.begin([board = watch.board()](const cluster::Piece& piece, const store::Record& record) {
      board->record(piece, record);
    });
    page.show(watch.board(), lead.directory, static_cast<int>(lead.prepared.plan.segments.size()));
    FilmMaker maker(lead, book, *watch.board(), communicator, signals, runner);
    films = make_watched(maker, book, watch);
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
  RunBook book(lead);
  try {
    const int status =
        lead_film(arguments, lead, book, *page, terminal.get(), communicator, signals);
    cluster::dismiss(communicator);
    book.end(status, "");
    return status;
  } catch (const Error& error) {
    cluster::dismiss(communicator);
    const bool stopped = error.code() == ErrorCode::kInterrupted;
    book.end(stopped ? signals.exit_status() : static_cast<int>(error.code()), error.what());
    throw;
  } catch (const std::exception& error) {
    cluster::dismiss(communicator);
    book.end(static_cast<int>(ErrorCode::kInternal), error.what());
    throw;
  }
}

}  // namespace vsr::launcher
