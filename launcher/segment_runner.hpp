// One rank's work: its segments through the pipeline and into the run directory.
#pragma once

#include "rank_storage.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/upscaler.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace vsr::launcher {

// Upscales and commits segments. Everything heavy is made with the first one, on a worker's thread:
// a rank that gets no work loads nothing. `weights`: what share_weights() gave, the checkpoint's
// file, or nothing if it is to be read. `storage` and `stop` must outlive it.
// Threads: any number of segments at once, see SegmentPipeline.
class SegmentRunner {
 public:
  SegmentRunner(Job job,
                store::Plan plan,
                const RankStorage& storage,
                const cluster::Communicator& communicator,
                int cpus,
                std::string weights,
                const std::atomic<int>& stop);

  // Returns once the segment's record is on disk; a cluster::Runner. Throws Error.
  cluster::SegmentOutcome operator()(int index,
                                     int attempt,
                                     const std::function<void()>& next_may_begin,
                                     pipeline::SegmentGauge& gauge);

 private:
  // The first segment's thread makes it, others wait.
  void make_pipeline();
  model::Checkpoint checkpoint() const;

  const Job job_;
  const store::Plan plan_;
  const RankStorage& storage_;
  const store::RunDirectory& directory_;
  const media::Timeline timeline_;
  const int rank_;
  const int local_rank_;
  const int cpus_;
  const std::atomic<int>& stop_;
  std::mutex making_;
  std::string weights_;      // guarded by making_
  std::string device_name_;  // these are made once, under making_
  std::optional<model::Upscaler> upscaler_;
  std::unique_ptr<pipeline::SegmentPipeline> pipeline_;
};

}  // namespace vsr::launcher
