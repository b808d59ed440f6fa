// One rank's share of the final encode: committed segments into chunks of the film.
#pragma once

#include "rank_storage.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace vsr::launcher {

// What chunks of this plan's segments are made for: the segments, and the keys that shape the
// film's picture. Each holds its segment's core.
store::Plan chunk_plan(const Job& job, const store::Plan& plan);

// Encodes and commits chunks. `storage` and `stop` must outlive it.
// Threads: any number of chunks at once, each with a share of the rank's `cpus` processors, in
// threads that give way to whatever else the host does.
class ChunkRunner {
 public:
  ChunkRunner(Job job,
              store::Plan plan,
              const RankStorage& storage,
              int rank,
              int cpus,
              const std::atomic<int>& stop);

  // Returns once the chunk's record is on disk. With segment.keep = off the mezzanine goes then.
  // Throws Error: kStorage also where the mezzanine is not what its record says. `frames`: how many
  // are encoded meanwhile.
  cluster::SegmentOutcome operator()(const cluster::Task& task,
                                     std::atomic<std::int64_t>& frames) const;

 private:
  const Job job_;
  const store::Plan plan_;
  const store::Plan chunk_plan_;
  const RankStorage& storage_;
  const store::RunDirectory& directory_;
  const media::Timeline timeline_;
  const int rank_;
  const int cpus_;
  const std::atomic<int>& stop_;
};

}  // namespace vsr::launcher
