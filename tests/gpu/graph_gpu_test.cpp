// Graphs on a GPU; skips where there is none.
#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/graph.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <future>
#include <stdexcept>
#include <utility>

namespace vsr::gpu {
namespace {

// Bytes that go from `from` to `to`, both in pinned memory, through the device.
class GraphOnGpu : public ::testing::Test {
 protected:
  static constexpr std::size_t kBytes = 1000;

  void SetUp() override {
    if (device_count() == 0) GTEST_SKIP() << unavailable_reason();
    stream_ = Stream(0);
    aside_ = Stream(0);
    between_ = DeviceBuffer(kBytes, 0);
  }

  void copy(StreamView stream) {
    copy_bytes_async(from_.data(), between_.data(), kBytes, stream);
    copy_bytes_async(between_.data(), to_.data(), kBytes, stream);
  }

  // What arrives of `value`.
  int arriving(const Graph& graph, int value) {
    for (std::size_t i = 0; i < kBytes; ++i) from_.data()[i] = static_cast<std::byte>(value);
    graph.queue(stream_.view());
    stream_.wait();
    return std::to_integer<int>(to_.data()[kBytes - 1]);
  }

  int arrived() const { return std::to_integer<int>(to_.data()[kBytes - 1]); }

  Stream stream_;
  Stream aside_;
  PinnedBuffer from_{kBytes, true};
  PinnedBuffer to_{kBytes, true};
  DeviceBuffer between_;
};

TEST_F(GraphOnGpu, DoesItsWorkWhenQueuedAndAgain) {
  to_.data()[kBytes - 1] = std::byte{1};
  Graph graph = Graph::record(aside_, [&] { copy(aside_.view()); });
  aside_.wait();
  EXPECT_EQ(arrived(), 1);  // recorded, not done
  EXPECT_EQ(arriving(graph, 2), 2);
  const Graph moved = std::move(graph);
  EXPECT_EQ(arriving(moved, 3), 3);
}

TEST_F(GraphOnGpu, WhatFailsLeavesItsStreamUsable) {
  const auto fails = [&] {
    copy(aside_.view());
    throw std::runtime_error("on the way");
  };
  EXPECT_THROW(Graph::record(aside_, fails), std::runtime_error);
  EXPECT_THROW(Graph::record(aside_, [&] { Event::record(aside_.view()).wait(); }), Error);
  EXPECT_EQ(arriving(Graph::record(aside_, [&] { copy(aside_.view()); }), 4), 4);
}

TEST_F(GraphOnGpu, OtherThreadsAllocateAndCopyMeanwhile) {
  const Graph graph = Graph::record(aside_, [&] {
    const auto other = [&] {
      DeviceBuffer buffer(kBytes, 0);
      copy_bytes_async(from_.data(), buffer.data(), kBytes, stream_.view());
      stream_.wait();
    };
    std::async(std::launch::async, other).get();
    copy(aside_.view());
  });
  EXPECT_EQ(arriving(graph, 5), 5);
}

}  // namespace
}  // namespace vsr::gpu
