// The coordinator's gate to the run directory: leases against other jobs, room on the disk, and the
// ledger, which tells what they have committed.
#pragma once

#include "ledger.hpp"
#include "run_leases.hpp"
#include "space.hpp"
#include "vsr/cluster/gate.hpp"
#include "vsr/job/job.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace vsr::launcher {

// Threads: those of Gate; one of its own looks at the ledger, which may take a network volume long.
class RunGate final : public cluster::Gate {
 public:
  struct Kind {
    cluster::Work work;
    Pieces pieces;
    std::vector<bool> known;                      // to be done, by segment
    std::function<double(const Segment&)> bytes;  // what one will take
    // Records that were found not to hold.
    std::map<int, std::filesystem::file_time_type> refused = {};
  };

  // `kinds`: chunks, if there are any, before segments. `film_made`: whether the film is made of
  // these pieces; asked by the own thread. `looked` (may be empty): told by it after every look how
  // many segments are missing, answers others_upscale(). All references must outlive it.
  RunGate(const store::RunDirectory& directory,
          RunLeases& leases,
          Space& space,
          std::vector<Kind> kinds,
          std::function<bool()> film_made,
          std::function<bool(int missing)> looked = {});
  ~RunGate() override;
  RunGate(const RunGate&) = delete;
  RunGate& operator=(const RunGate&) = delete;

  Answer ask(const cluster::Piece& piece) override;
  void over(const cluster::Piece& piece, bool disk_full) override;
  std::vector<cluster::Piece> news() override;

  bool film_made() override { return film_is_made_; }

  bool others_upscale() override { return others_upscale_; }

 private:
  const Kind& kind_of(cluster::Work work) const;
  void watch();
  bool is_made(const cluster::Piece& piece) const;
  std::vector<cluster::Piece> look();

  const store::RunDirectory& directory_;
  RunLeases& leases_;
  Space& space_;
  std::vector<Kind> kinds_;  // `known` is the watching thread's
  const std::function<bool()> ask_film_;
  const std::function<bool(int)> looked_;
  std::atomic<bool> film_is_made_ = false;
  std::atomic<bool> others_upscale_ = true;
  std::mutex mutex_;
  std::condition_variable over_changed_;
  bool over_ = false;                 // guarded by mutex_
  std::vector<cluster::Piece> news_;  // likewise
  std::thread watching_;
};

}  // namespace vsr::launcher
