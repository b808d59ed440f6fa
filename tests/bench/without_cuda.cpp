// The subjects that need a GPU, in a build that can have none.
#include "network_run.hpp"
#include "subjects.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/device.hpp"

namespace vsr::bench {

namespace {

[[noreturn]] void refuse() { throw Error(ErrorCode::kGpu, gpu::unavailable_reason()); }

}  // namespace

void bench_ceilings(Arguments&) { refuse(); }

void bench_network(Arguments&) { refuse(); }

void bench_layers(Arguments&) { refuse(); }

void bench_memory(Arguments&) { refuse(); }

void bench_tiles(Arguments&) { refuse(); }

void bench_convolutions(Arguments&) { refuse(); }

void bench_alignment(Arguments&) { refuse(); }

void bench_colour(Arguments&) { refuse(); }

void bench_copies(Arguments&) { refuse(); }

void bench_prores(Arguments&) { refuse(); }

std::optional<double> fused_rate(const model::Checkpoint&, const NetworkWork&) {
  return std::nullopt;
}

}  // namespace vsr::bench
