#include "vsr/gpu/graph.hpp"

#include "vsr/base/error.hpp"

#include <utility>

namespace vsr::gpu {

Graph Graph::record(const Stream& /*aside*/, const std::function<void()>& /*queue*/) {
  throw Error(ErrorCode::kGpu, "the host's work cannot become a GPU graph");
}

Graph::~Graph() = default;

Graph::Graph(Graph&& other) noexcept : made_(std::exchange(other.made_, nullptr)) {}

Graph& Graph::operator=(Graph&& other) noexcept {
  std::swap(made_, other.made_);
  return *this;
}

void Graph::queue(StreamView /*stream*/) const {}

}  // namespace vsr::gpu
