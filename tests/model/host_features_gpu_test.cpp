// Features in host memory, held to features in device memory: not a bit may differ. Skips where
// there is no GPU.
#include "engine_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/pinned_buffer.hpp"
#include "vsr/gpu/stream.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <utility>
#include <vector>

namespace vsr::model::fused {
namespace {

using test::Pictures;

class HostFeatures : public test::EngineOnGpu {
 protected:
  void SetUp() override {
    EngineOnGpu::SetUp();
    if (IsSkipped()) return;
    on_device_ = make_engine(false);
    on_host_ = make_engine(true);
  }

  std::unique_ptr<Engine> on_device_;
  std::unique_ptr<Engine> on_host_;
};

// Of 10, 11 and 12 frames, as the graphs' tests have it; of 21, which begins at any place of the
// ring; and of the whole sequence.
TEST_P(HostFeatures, ChangeNoBit) {
  constexpr std::int64_t kLookAhead = 3;
  for (const std::int64_t window : {10, 11, 12, 21, 40}) {
    const Pictures expected = run(*on_device_, window, kLookAhead);
    for (const float value : expected.back()) ASSERT_TRUE(std::isfinite(value));
    for (const bool graphs : {false, true, true}) {
      on_host_->use_graphs(graphs);
      SCOPED_TRACE(window);
      expect_same(run(*on_host_, window, kLookAhead), expected);
    }
    EXPECT_GT(on_host_->graph_count(), 0u);
  }
}

TEST_P(HostFeatures, OfWindowsShorterThanTheRingAreTheSame) {
  constexpr std::pair<int, int> kWindows[] = {
      {1, 0}, {2, 0}, {2, 1}, {3, 1}, {3, 2}, {4, 3}, {5, 1}, {5, 4}, {6, 2}, {7, 3}};
  for (const auto& [window, look_ahead] : kWindows) {
    SCOPED_TRACE(window);
    expect_same(run(*on_host_, window, look_ahead), run(*on_device_, window, look_ahead));
  }
}

// The bus as busy as others can make it, so that copies come late.
TEST_P(HostFeatures, MayComeLate) {
  const Pictures expected = run(*on_device_, 12, 3);
  std::atomic<bool> over = false;
  const auto traffic = [&](bool up) {
    return std::async(std::launch::async, [&over, up] {
      const gpu::Stream mine(0);
      gpu::DeviceBuffer device(std::size_t{64} << 20, 0);
      gpu::PinnedBuffer host(device.size(), true);
      while (!over) {
        for (int i = 0; i < 4; ++i) {
          gpu::copy_bytes_async(up ? host.data() : device.data(),
                                up ? device.data() : host.data(),
                                device.size(),
                                mine.view());
        }
        mine.wait();
      }
    });
  };
  auto up = traffic(true);
  auto down = traffic(false);
  std::vector<Pictures> late;
  for (int i = 0; i < 3; ++i) late.push_back(run(*on_host_, 12, 3));
  over = true;
  up.get();
  down.get();
  for (const Pictures& pictures : late) expect_same(pictures, expected);
}

TEST_P(HostFeatures, OfAWindowThatBreaksOffAreNoHarmToTheNext) {
  struct Stop {};

  const Pictures expected = run(*on_device_, 12, 3);
  const std::vector<const float*> frames(12, static_cast<const float*>(frames_.data()));
  for (const std::int64_t last : {0, 1, 5, 11}) {
    EXPECT_THROW(on_host_->run(frames,
                               size_,
                               {0, 12},
                               false,
                               [&](std::int64_t t, const float*) {
                                 if (t == last) throw Stop{};
                               }),
                 Stop);
    expect_same(run(*on_host_, 12, 3), expected);
  }
}

TEST_P(HostFeatures, TooMuchForTheHostIsOutOfMemoryAndAShorterWindowIsNot) {
  const Compute compute = [&] {
    Compute made = make_compute(Precision::kFp16, stream_.view());
    made.host_features = true;
    return made;
  }();
  constexpr int kMany = 1000;
  const std::size_t by_frame = Engine::host_bytes(shape_, compute, size_, kMany) / kMany;
  on_host_->expect_frames(static_cast<int>(usable_memory_bytes() / by_frame) + 1);
  EXPECT_THROW(run(*on_host_, 12, 3), OutOfMemory);
  expect_same(run(*on_host_, 12, 3), run(*on_device_, 12, 3));
}

INSTANTIATE_TEST_SUITE_P(
    Networks,
    HostFeatures,
    ::testing::Values(std::pair(4, 64), std::pair(4, 32), std::pair(4, 16), std::pair(1, 32)),
    test::network_name);

}  // namespace
}  // namespace vsr::model::fused
