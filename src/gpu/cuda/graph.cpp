#include "vsr/gpu/graph.hpp"

#include "cuda/check.hpp"
#include "vsr/base/error.hpp"

#include <utility>

namespace vsr::gpu {

namespace {

// A recording under way; it ends with the scope, come what may.
class Recording {
 public:
  explicit Recording(cudaStream_t stream) : stream_(stream) {
    check_cuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal),
               "cannot record a GPU graph");
  }

  ~Recording() {
    if (!ended_) cudaStreamEndCapture(stream_, &graph_);
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
    if (!ended_) cudaGetLastError();  // a call that the recording did not survive left its code
  }

  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  cudaGraph_t end() {
    ended_ = true;
    check_cuda(cudaStreamEndCapture(stream_, &graph_), "cannot record a GPU graph");
    return graph_;
  }

 private:
  cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
  bool ended_ = false;
};

}  // namespace

Graph Graph::record(const Stream& aside, const std::function<void()>& queue) {
  const StreamView stream = aside.view();
  if (stream.device < 0) throw Error(ErrorCode::kGpu, "the host's work cannot become a GPU graph");
  const DeviceGuard guard(stream.device);
  Recording recording(static_cast<cudaStream_t>(stream.handle));
  queue();
  cudaGraphExec_t made = nullptr;
  check_cuda(cudaGraphInstantiate(&made, recording.end(), 0), "cannot make a GPU graph");
  Graph graph;
  graph.made_ = made;
  return graph;
}

Graph::~Graph() {
  if (made_ != nullptr) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(made_));
}

Graph::Graph(Graph&& other) noexcept : made_(std::exchange(other.made_, nullptr)) {}

Graph& Graph::operator=(Graph&& other) noexcept {
  std::swap(made_, other.made_);
  return *this;
}

void Graph::queue(StreamView stream) const {
  if (made_ == nullptr) return;
  const DeviceGuard guard(stream.device);
  check_cuda(cudaGraphLaunch(static_cast<cudaGraphExec_t>(made_),
                             static_cast<cudaStream_t>(stream.handle)),
             "cannot queue a GPU graph");
}

}  // namespace vsr::gpu
