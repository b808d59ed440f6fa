// The engine's graphs, held to the same work queued kernel by kernel, and its generic kernels, held
// to Hopper's. Skips where there is no GPU.
#include "engine_support.hpp"
#include "fused/device.hpp"
#include "fused/engine.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <utility>
#include <vector>

namespace vsr::model::fused {
namespace {

using test::kFrames;
using test::made_up;
using test::Pictures;

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

class EngineGraphs : public test::EngineOnGpu {
 protected:
  void SetUp() override {
    EngineOnGpu::SetUp();
    if (IsSkipped()) return;
    engine_.emplace(made_up(shape_), make_compute(Precision::kFp16, stream_.view()));
  }

  // The whole sequence in windows of up to `window` frames that remember.
  Pictures run(std::int64_t window, bool graphs) {
    constexpr std::int64_t kLookAhead = 3;
    engine_->use_graphs(graphs);
    return EngineOnGpu::run(*engine_, window, kLookAhead);
  }

  std::optional<Engine> engine_;
};

// Windows of 10, 11 and 12 frames: with the two kept before them, every remainder by the three
// results that the last branch keeps. Places come round four times.
TEST_P(EngineGraphs, ChangeNoBit) {
  for (const std::int64_t window : {10, 11, 12}) {
    const Pictures expected = run(window, false);
    ASSERT_EQ(expected.size(), to_size(kFrames));
    EXPECT_EQ(engine_->graph_count(), 0u);
    for (const float value : expected.back()) ASSERT_TRUE(std::isfinite(value));
    EXPECT_NE(expected.front(), expected.back());
    expect_same(run(window, true), expected);
    const std::size_t graphs = engine_->graph_count();
    EXPECT_GT(graphs, 0u);
    expect_same(run(window, true), expected);
    EXPECT_EQ(engine_->graph_count(), graphs);  // the second time nothing is new
  }
}

// As frames' memory goes back to its pool, and as the next window comes in.
TEST_P(EngineGraphs, OtherThreadsMayQueueInItsStream) {
  const Pictures expected = run(12, false);
  std::atomic<bool> over = false;
  auto other = std::async(std::launch::async, [&] {
    const gpu::Stream mine(0);
    while (!over) {
      gpu::DeviceBuffer buffer(1 << 20, 0);
      gpu::Event::record(stream_.view()).hold(mine.view());
      gpu::clear_async(buffer.data(), buffer.size(), mine.view());
      mine.wait();
    }
  });
  const Pictures pictures = run(12, true);
  over = true;
  other.get();
  expect_same(pictures, expected);
}

TEST_P(EngineGraphs, DoWithoutWhereTheDeviceIsFull) {
  const Pictures expected = run(12, false);
  std::vector<gpu::DeviceBuffer> rest;
  for (std::size_t bytes = gpu::memory_info(0).free_bytes; bytes >= 4096;) {
    try {
      rest.emplace_back(bytes, 0);
    } catch (const OutOfMemory&) {
      bytes /= 2;
    }
  }
  expect_same(run(12, true), expected);
  const std::size_t graphs = engine_->graph_count();
  rest.clear();
  expect_same(run(12, true), expected);
  // A driver may have kept enough for all graphs.
  if (graphs > 0 && engine_->graph_count() == graphs) GTEST_SKIP() << "the device was not full";
}

// In a first window with a halo pictures begin where branches are recorded already: what makes them
// is loaded while a graph is recorded. (ctest gives each test a process of its own.)
TEST_P(EngineGraphs, MayBeTheFirstToStartAKernel) {
  constexpr std::int64_t kWindow = 12;
  Compute compute = make_compute(Precision::kFp16, stream_.view());
  compute.hopper = false;  // Hopper's kernels are the same for all parts
  engine_.emplace(made_up(shape_), compute);
  std::vector<const float*> frames;
  for (std::int64_t t = 0; t < kWindow; ++t) {
    frames.push_back(static_cast<const float*>(frames_.data()) + values_ * to_size(t));
  }
  const auto run_halo = [&](bool graphs) {
    engine_->use_graphs(graphs);
    Pictures pictures;
    engine_->run(frames, size_, {3, kWindow}, false, [&](std::int64_t, const float* picture) {
      auto& values = pictures.emplace_back(picture_values());
      gpu::copy_bytes_async(picture, values.data(), values.size() * sizeof(float), stream_.view());
      stream_.wait();
    });
    return pictures;
  };
  const Pictures pictures = run_halo(true);
  expect_same(pictures, run_halo(false));
}

// What GPUs before Hopper do, on one.
TEST_P(EngineGraphs, GenericKernelsGiveThePicturesOfHoppers) {
  Compute compute = make_compute(Precision::kFp16, stream_.view());
  if (!compute.hopper) GTEST_SKIP() << "the GPU is not of the generation that is compared (Hopper)";
  const Pictures expected = run(12, true);
  compute.hopper = false;
  engine_.emplace(made_up(shape_), compute);
  const Pictures pictures = run(12, true);
  ASSERT_EQ(pictures.size(), expected.size());
  for (std::size_t t = 0; t < pictures.size(); ++t) {
    double squares = 0;
    for (std::size_t i = 0; i < expected[t].size(); ++i) {
      const auto error = static_cast<double>(pictures[t][i] - expected[t][i]);
      squares += error * error;
    }
    const double mean = squares / static_cast<double>(expected[t].size());
    EXPECT_GT(-10 * std::log10(mean), 60) << "dB, frame " << t;
  }
}

// Of 16 and 128 channels alignment is not one kernel, and of 128 a convolution takes two passes on
// Hopper.
INSTANTIATE_TEST_SUITE_P(Networks,
                         EngineGraphs,
                         ::testing::Values(std::pair(4, 128),
                                           std::pair(4, 64),
                                           std::pair(4, 32),
                                           std::pair(4, 16),
                                           std::pair(1, 32)),
                         test::network_name);

}  // namespace
}  // namespace vsr::model::fused
