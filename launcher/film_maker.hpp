// Rank 0's way from an open run to the films.
#pragma once

#include "ledger.hpp"
#include "open_run.hpp"
#include "run_book.hpp"
#include "run_gate.hpp"
#include "signals.hpp"
#include "space.hpp"
#include "status_board.hpp"
#include "vsr/cluster/cluster.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// If they are made already.
std::optional<std::vector<std::filesystem::path>> films_of(const Lead& lead);

// Has the ranks make every piece, and joins them; whatever of it other jobs make, or have made, is
// as good. Threads: one.
class FilmMaker {
 public:
  // What it is made with has to outlive it.
  FilmMaker(const Lead& lead,
            RunBook& book,
            StatusBoard& board,
            cluster::Communicator& communicator,
            Signals& signals,
            const cluster::Runner& runner);

  // The films. Throws Error.
  std::vector<std::filesystem::path> make();

 private:
  // A piece that goes bad after its commit is made again, but not for ever.
  static constexpr int kMostTimesBad = 3;

  // If they are made.
  std::optional<std::vector<std::filesystem::path>> films() const;
  bool is_made() const;
  // Has the ranks make what the ledger lacks; or other jobs, if they are at it.
  void make_pieces();
  bool has_to_be_made_again(int segment) const;
  // Counts that a piece of it went bad. False: too often, there is no sense in making it again.
  bool may_be_made_again(int segment);
  cluster::SegmentOutcome work_off();
  std::vector<RunGate::Kind> kinds(const cluster::Tasks& tasks) const;
  // Of several jobs one joins the film, the others wait for it. False: it is made.
  bool hold_the_end();
  // The films of all pieces. False when some turn out damaged, which are removed then.
  bool join(const Ledger& ledger);
  // A job that was taken for dead may still be writing films: each has a folder of its own.
  void join_with_room(const std::vector<store::Record>& records);
  double bytes_of_films(const std::vector<store::Record>& records) const;
  void publish_films(const std::vector<std::filesystem::path>& made);
  // Every job does, since each may have made one that another had made and discarded.
  void discard_pieces() const;

  const Lead& lead_;
  RunBook& book_;
  StatusBoard& board_;
  cluster::Communicator& communicator_;
  Signals& signals_;
  const cluster::Runner& runner_;
  const std::string identity_;  // of the films
  Space space_;
  std::vector<int> times_bad_;  // by segment
};

}  // namespace vsr::launcher
