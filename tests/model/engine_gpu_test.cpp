// The engine's graphs, held to the same work queued kernel by kernel, and its generic kernels, held
// to Hopper's. Skips where there is no GPU.
#include "checkpoint/network_keys.hpp"
#include "checkpoint_files.hpp"
#include "fused/device.hpp"
#include "fused/engine.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vsr::model::fused {
namespace {

constexpr std::int64_t kFrames = 40;    // of the sequence
constexpr std::int64_t kLookAhead = 3;  // of a window

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// A network whose values stay small, however many frames it goes through.
Checkpoint made_up(const NetworkShape& shape) {
  std::map<std::string, Tensor> tensors;
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> spread(-1.7F, 1.7F);  // of variance 1
  for (const auto& [key, dimensions] : network_tensors(shape)) {
    Tensor& tensor = tensors[key];
    tensor.shape = dimensions;
    std::int64_t values = 1;
    for (const std::int64_t dimension : dimensions) values *= dimension;
    // Weights by how many are added up, else by what does no harm. (1, 3, 1, 1) are the mean and
    // the deviation of pictures.
    const bool statistics = dimensions[0] == 1;
    const float size = dimensions.size() == 4 && !statistics
                           ? 0.5F / std::sqrt(static_cast<float>(values / dimensions[0]))
                           : 0.1F;
    for (std::int64_t i = 0; i < values; ++i) {
      tensor.values.push_back((statistics ? 0.5F : 0.0F) + size * spread(random));
    }
  }
  const std::string content = test::safetensors_of(tensors);
  return Checkpoint::read(std::as_bytes(std::span(content)), "a made-up network");
}

std::vector<float> moving_pattern(const FrameSize& size) {
  std::vector<float> values;
  for (std::int64_t t = 0; t < kFrames; ++t) {
    for (int row = 0; row < 3 * size.height; ++row) {
      for (int column = 0; column < size.width; ++column) {
        const double x = column + 1.5 * static_cast<double>(t);
        const double y = row - static_cast<double>(t);
        values.push_back(static_cast<float>(0.5 + 0.4 * std::sin(0.3 * x) * std::cos(0.2 * y)));
      }
    }
  }
  return values;
}

using Pictures = std::vector<std::vector<float>>;

// By scale and channels.
class EngineGraphs : public ::testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    stream_ = gpu::Stream(0);
    const auto values = moving_pattern(size_);
    frames_ = gpu::DeviceBuffer(values.size() * sizeof(float), 0);
    gpu::copy_bytes_async(values.data(), frames_.data(), frames_.size(), stream_.view());
    stream_.wait();
    engine_.emplace(made_up(shape_), make_compute(Precision::kFp16, stream_.view()));
  }

  // The whole sequence in windows of up to `window` frames that remember.
  Pictures run(std::int64_t window, bool graphs) {
    engine_->use_graphs(graphs);
    const std::size_t scale = to_size(shape_.scale());
    Pictures pictures;
    for (std::int64_t begin = 0; begin < kFrames;) {
      const std::int64_t end = std::min(begin + window, kFrames);
      const std::int64_t given = end < kFrames ? end - kLookAhead : end;
      std::vector<const float*> frames;
      for (std::int64_t t = begin; t < end; ++t) {
        frames.push_back(static_cast<const float*>(frames_.data()) + values_ * to_size(t));
      }
      engine_->run(
          frames, size_, {0, given - begin}, begin > 0, [&](std::int64_t, const float* picture) {
            auto& values = pictures.emplace_back(values_ * scale * scale);
            gpu::copy_bytes_async(
                picture, values.data(), values.size() * sizeof(float), stream_.view());
            stream_.wait();
          });
      begin = given;
    }
    stream_.wait();
    return pictures;
  }

  static void expect_same(const Pictures& pictures, const Pictures& expected) {
    ASSERT_EQ(pictures.size(), expected.size());
    for (std::size_t t = 0; t < pictures.size(); ++t) {
      EXPECT_TRUE(pictures[t] == expected[t]) << "frame " << t;
    }
  }

  const NetworkShape shape_{GetParam().first == 4, GetParam().second, 2};
  // Odd where it may be, so that no tile of a kernel fits.
  const FrameSize size_ = padded(shape_, {75, 131});
  const std::size_t values_ = std::size_t{3} * to_size(size_.height) * to_size(size_.width);
  gpu::Stream stream_;
  gpu::DeviceBuffer frames_;
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
  EXPECT_GT(engine_->graph_count(), graphs);  // so the device was full
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

// Of 16 channels alignment is not one kernel.
INSTANTIATE_TEST_SUITE_P(
    Networks,
    EngineGraphs,
    ::testing::Values(std::pair(4, 64), std::pair(4, 32), std::pair(4, 16), std::pair(1, 32)),
    [](const auto& network) {
      return format("x{}_c{}", network.param.first, network.param.second);
    });

}  // namespace
}  // namespace vsr::model::fused
