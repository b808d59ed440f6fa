// The weights of a run: rank 0 reads the checkpoint's file and hands its bytes to every rank that
// upscales, before the first segment. Between GPUs by NCCL, else by MPI; nothing is handed over
// where the model is inside the program or rank 0 alone upscales.
//
// Note [Nobody waits for a rank whose NCCL fails]
// Only the rank itself knows that its NCCL failed. So what follows does not depend on it: every
// rank says to rank 0 whether it has the weights now, by NCCL or else from the file, and rank 0
// tells all whether they come by MPI as well, which they do when one rank lacks them. NCCL's own
// waiting has a deadline, so a rank that fails costs the others at most that.
#pragma once

#include "planning.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/cluster/communicator.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/plan_file.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace vsr::launcher {

enum class WeightsWay { kOwn, kMpi, kNccl };  // kOwn: every rank has them, or reads them itself

// What rank 0 tells the others with the plan.
struct WeightsOffer {
  WeightsWay way = WeightsWay::kOwn;
  std::uint64_t bytes = 0;  // of the file
  std::string nccl_id;
};

std::string encode(const WeightsOffer& offer);  // one line
// Throws Error(kCluster).
WeightsOffer decode_weights_offer(const std::string& line);

// By NCCL if all ranks that upscale do so on GPUs, no two of them on one, and rank 0 is one of
// them.
WeightsWay choose_weights_way(const Job& job,
                              const std::vector<Resources>& ranks,
                              const std::vector<cluster::Capacity>& capacities);

struct Weights {
  WeightsOffer offer;
  std::string bytes;  // the file
};

// On rank 0. Throws Error: kStorage when the file cannot be read, kModel when it is no longer the
// plan's. Where NCCL cannot even begin it is a warning, and the way is MPI.
Weights offer_weights(const Job& job,
                      const store::Plan& plan,
                      const std::vector<Resources>& ranks,
                      const std::vector<cluster::Capacity>& capacities);

// What share_weights() has to know on a rank.
struct WeightsOrder {
  WeightsOffer offer;
  bool wanted = true;  // this rank upscales
  std::string file;    // model.checkpoint
  std::string sha256;  // of what the plan was made for
};

// Brings rank 0's bytes to those of the others that want them, or throws Error: in one line what
// went wrong and what probably mends it.
using FastWay = std::function<void(std::span<std::byte> bytes)>;

// Called by all ranks at once after they have the offer; rank 0 gives the file's bytes, the others
// none. Returns the bytes, of the plan's SHA-256; none on a rank that does not want them, or if the
// way is kOwn. Failures of `fast`, which is for the way kNccl, are warnings. Throws Error(kCluster)
// when a rank does not answer or the bytes arrive damaged.
std::string share_weights(cluster::Communicator& communicator,
                          const WeightsOrder& order,
                          std::string bytes,
                          const FastWay& fast);

// The same with NCCL as the fast way.
std::string share_weights(cluster::Communicator& communicator,
                          const Job& job,
                          const store::Plan& plan,
                          const std::vector<cluster::Capacity>& capacities,
                          const WeightsOffer& offer,
                          std::string bytes = {});

}  // namespace vsr::launcher
