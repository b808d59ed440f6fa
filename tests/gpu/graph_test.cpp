// Graphs: what may be asked for anywhere. What they do is in graph_gpu_test.cpp.
#include "vsr/gpu/graph.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

namespace vsr::gpu {
namespace {

TEST(Graph, OfNothingDoesNothing) {
  const Graph nothing;
  nothing.queue({});
}

TEST(Graph, TheHostsWorkIsRefusedAndNotDone) {
  bool done = false;
  try {
    Graph::record(Stream(), [&] { done = true; });
    FAIL() << "the host's work was recorded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kGpu);
  }
  EXPECT_FALSE(done);
}

}  // namespace
}  // namespace vsr::gpu
