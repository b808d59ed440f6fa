// Who upscales and who encodes, and on how many cores.
#pragma once

#include "arguments.hpp"
#include "planning.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/plan_file.hpp"

#include <string>
#include <vector>

namespace vsr::launcher {

// What every rank brings, in rank order, on rank 0; nothing elsewhere. All ranks take part. Throws
// Error(kCluster) naming the ranks that do not answer.
std::vector<Resources> gather_resources(const Arguments& arguments,
                                        cluster::Communicator& communicator);

// Whether the ranks encode the film in chunks, a segment each, for rank 0 to join.
bool makes_chunks(const Job& job);

// Whether rank 0 encodes the film when all is upscaled.
bool encode_follows(const Job& job);

// Whether all ranks were started with --role=encode: other jobs upscale.
bool only_encodes(const std::vector<Resources>& ranks);

// Which ranks upscale: those that may, and of these where stream.device is auto and there is a GPU
// those that have one. Throws Error(kUsage) when that is none.
std::vector<Resources> upscaling(const Job& job, const std::vector<Resources>& ranks);

// Throws Error(kUsage) when none of them can encode a chunk.
void check_encoders(const Job& job, const std::vector<Resources>& ranks);

// What each rank does. Encoders by cluster.encoders, or one for two cores as far as memory goes; on
// a GPU that encodes two, and none on ranks without one. Throws Error(kUsage) when nobody encodes
// what has to be.
std::vector<cluster::Capacity> capacities(const Job& job,
                                          const store::Plan& plan,
                                          const std::vector<Resources>& ranks);

std::string encode(const std::vector<cluster::Capacity>& ranks);
// Throws Error(kCluster).
std::vector<cluster::Capacity> decode_capacities(const std::string& text);

}  // namespace vsr::launcher
