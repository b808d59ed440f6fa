// Where a rank finds the film and mezzanines, and where what it makes goes: the run directory, or
// with cluster.storage = local, on every rank but 0, a scratch directory of its own and rank 0.
#pragma once

#include "vsr/base/byte_source.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace vsr::launcher {

// Throws Error(kUsage) for a job that ranks cannot do without the film and the run directory.
void check_storage(const Job& job, const media::SourceInfo& source);

// Rank 0's side; null where the ranks need none.
std::unique_ptr<cluster::FileService> make_file_service(const Job& job,
                                                        const store::Plan& plan,
                                                        const store::RunDirectory& directory,
                                                        int ranks);

// Threads: const functions and make() from any thread.
class RankStorage {
 public:
  // Clears what another start has left in the scratch directory. `stop` must outlive it. Throws
  // Error(kStorage).
  RankStorage(const Job& job,
              const store::Plan& plan,
              const cluster::Communicator& communicator,
              const cluster::Capacity& capacity,
              const std::atomic<int>& stop);
  // Clears the scratch directory but for its log.
  ~RankStorage();
  RankStorage(const RankStorage&) = delete;
  RankStorage& operator=(const RankStorage&) = delete;

  // What pieces are made and committed in.
  const store::RunDirectory& directory() const { return directory_; }

  // For cluster::serve(); null: all is at hand.
  cluster::FarFiles* far() const { return far_.get(); }

  media::Timeline timeline() const;
  // Of the film itself; empty: it is at hand.
  OpenBytes film() const;

  struct Mezzanine {
    store::Record record;
    std::filesystem::path path;
    OpenBytes open;  // empty: it is at hand
  };

  // Of a segment that is committed. Throws Error(kStorage) when it is not what its record says.
  Mezzanine mezzanine(const Segment& segment) const;

  // Whether the task's piece is committed in the run directory, as far as this rank sees that.
  bool is_made(const cluster::Task& task) const;
  // Does `work`, which makes and commits the task's piece in directory(), and has rank 0 commit it.
  // A full scratch disk is an Error(kStorage) that another rank may not meet; rank 0's is DiskFull.
  cluster::SegmentOutcome make(const cluster::Task& task,
                               const std::function<cluster::SegmentOutcome()>& work);

 private:
  OpenBytes opener(const std::string& name) const;
  cluster::SegmentOutcome make_in_scratch(const std::function<cluster::SegmentOutcome()>& work);
  const store::Plan& plan_of(store::Piece piece) const;
  void hand_in(const cluster::Task& task);
  void drop_mezzanine(int segment);
  void make_room();

  const Job job_;
  const store::Plan plan_;
  const store::Plan chunk_plan_;
  const bool keeps_;  // mezzanines, since this rank encodes some
  const store::RunDirectory directory_;
  std::unique_ptr<store::RunLock> lock_;  // of the scratch directory; these two: null otherwise
  std::unique_ptr<cluster::FarFiles> far_;
  std::mutex mutex_;
  // Guarded by mutex_. Segments: with a mezzanine here that rank 0 has, too; in hand, whose files
  // stay.
  std::set<int> kept_;
  std::multiset<int> in_use_;
};

}  // namespace vsr::launcher
