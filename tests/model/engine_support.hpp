// For tests of the engine: a network made up, a sequence of frames on the GPU, and the sequence in
// windows.
#pragma once

#include "checkpoint/network_keys.hpp"
#include "checkpoint_files.hpp"
#include "fused/device.hpp"
#include "fused/engine.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/device_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vsr::model::fused::test {

constexpr std::int64_t kFrames = 40;  // of the sequence

// A network whose values stay small, however many frames it goes through.
inline Checkpoint made_up(const NetworkShape& shape) {
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
  const std::string content = model::test::safetensors_of(tensors);
  return Checkpoint::read(std::as_bytes(std::span(content)), "a made-up network");
}

inline std::vector<float> moving_pattern(const FrameSize& size) {
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
class EngineOnGpu : public ::testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    stream_ = gpu::Stream(0);
    const auto values = moving_pattern(size_);
    frames_ = gpu::DeviceBuffer(values.size() * sizeof(float), 0);
    gpu::copy_bytes_async(values.data(), frames_.data(), frames_.size(), stream_.view());
    stream_.wait();
    pictures_ = gpu::DeviceBuffer(kFrames * picture_values() * sizeof(float), 0);
  }

  std::unique_ptr<Engine> make_engine(bool host_features) {
    Compute compute = make_compute(Precision::kFp16, stream_.view());
    compute.host_features = host_features;
    return std::make_unique<Engine>(made_up(shape_), compute);
  }

  std::size_t picture_values() const {
    const auto scale = static_cast<std::size_t>(shape_.scale());
    return values_ * scale * scale;
  }

  // The whole sequence in windows of up to `window` frames that remember, the last `look_ahead` of
  // which the next one gives. Nobody waits before it is over.
  Pictures run(Engine& engine, std::int64_t window, std::int64_t look_ahead) {
    const std::size_t bytes = picture_values() * sizeof(float);
    auto* const made = static_cast<std::byte*>(pictures_.data());
    std::size_t delivered = 0;
    for (std::int64_t begin = 0; begin < kFrames;) {
      const std::int64_t end = std::min(begin + window, kFrames);
      const std::int64_t given = end < kFrames ? end - look_ahead : end;
      std::vector<const float*> frames;
      for (std::int64_t t = begin; t < end; ++t) {
        frames.push_back(static_cast<const float*>(frames_.data()) +
                         values_ * static_cast<std::size_t>(t));
      }
      engine.run(
          frames, size_, {0, given - begin}, begin > 0, [&](std::int64_t, const float* picture) {
            gpu::copy_bytes_async(picture, made + delivered++ * bytes, bytes, stream_.view());
          });
      begin = given;
    }
    Pictures pictures(delivered, std::vector<float>(picture_values()));
    for (std::size_t t = 0; t < delivered; ++t) {
      gpu::copy_bytes_async(made + t * bytes, pictures[t].data(), bytes, stream_.view());
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
  const std::size_t values_ = std::size_t{3} * static_cast<std::size_t>(size_.height) *
                              static_cast<std::size_t>(size_.width);
  gpu::Stream stream_;
  gpu::DeviceBuffer frames_;
  gpu::DeviceBuffer pictures_;
};

inline std::string network_name(const ::testing::TestParamInfo<std::pair<int, int>>& network) {
  return format("x{}_c{}", network.param.first, network.param.second);
}

}  // namespace vsr::model::fused::test
