// A rank's own part of the work, and what it tells of itself meanwhile.
#pragma once

#include "chunk_runner.hpp"
#include "rank_storage.hpp"
#include "rank_teller.hpp"
#include "segment_runner.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/plan_file.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace vsr::launcher {

// What the rank tells of itself as it does its capacity's part of the job.
std::shared_ptr<RankTeller> make_teller(const Job& job,
                                        const cluster::Communicator& communicator,
                                        const cluster::Capacity& capacity);

// Does what it is told, as its capacity says; a cluster::Runner. What it is made with has to
// outlive it. Threads: any.
class RankWork {
 public:
  RankWork(const Job& job,
           const store::Plan& plan,
           RankStorage& storage,
           const cluster::Communicator& communicator,
           int cpus,
           std::string weights,
           RankTeller& teller,
           const std::atomic<int>& stop);

  cluster::SegmentOutcome operator()(const cluster::Task& task,
                                     const std::function<void()>& next_may_begin);

 private:
  const store::Plan& plan_;
  RankStorage& storage_;
  RankTeller& teller_;
  SegmentRunner segments_;
  ChunkRunner chunks_;
};

}  // namespace vsr::launcher
