#include "rank_work.hpp"

#include "planning.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/gpu/device.hpp"

#include <utility>

namespace vsr::launcher {

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

RankWork::RankWork(const Job& job,
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

cluster::SegmentOutcome RankWork::operator()(const cluster::Task& task,
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

}  // namespace vsr::launcher
