#include "device_timer.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace vsr::bench {

namespace {

constexpr std::size_t kWaitBytes = std::size_t{1} << 30;
constexpr int kRounds = 7;
constexpr double kRound_ms = 5;
constexpr int kMostLaunches = 200;

void check(cudaError_t status) {
  if (status != cudaSuccess) throw Error(ErrorCode::kGpu, cudaGetErrorString(status));
}

cudaStream_t handle(gpu::StreamView stream) { return static_cast<cudaStream_t>(stream.handle); }

}  // namespace

void require_gpu() {
  if (gpu::device_count() == 0) throw Error(ErrorCode::kGpu, gpu::unavailable_reason());
}

std::string gpu_name() { return format("{}, {}", gpu::device_info(0).name, gpu::versions()); }

Stopwatch::Stopwatch(gpu::StreamView stream) : stream_(stream) {}

Stopwatch::~Stopwatch() {
  for (void* event : events_) cudaEventDestroy(static_cast<cudaEvent_t>(event));
}

void Stopwatch::mark() {
  if (used_ == events_.size()) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event));
    events_.push_back(event);
  }
  check(cudaEventRecord(static_cast<cudaEvent_t>(events_[used_++]), handle(stream_)));
}

double Stopwatch::ms(std::size_t from, std::size_t to) const {
  float passed = 0;
  check(cudaEventElapsedTime(&passed,
                             static_cast<cudaEvent_t>(events_.at(from)),
                             static_cast<cudaEvent_t>(events_.at(to))));
  return static_cast<double>(passed);
}

DeviceTimer::DeviceTimer(gpu::StreamView stream)
    : stream_(stream), wait_(kWaitBytes, stream.device), watch_(stream) {}

double DeviceTimer::round_ms(int launches, const std::function<void(int)>& launch) const {
  // Something long first, while which the host queues the rest.
  for (int i = 0; i < 3; ++i) {
    check(cudaMemsetAsync(wait_.data(), 0, kWaitBytes, handle(stream_)));
  }
  watch_.reset();
  watch_.mark();
  for (int i = 0; i < launches; ++i) launch(i);
  watch_.mark();
  check(cudaStreamSynchronize(handle(stream_)));
  return watch_.ms(0, 1) / launches;
}

double DeviceTimer::ms(const std::function<void(int)>& launch) const {
  round_ms(2, launch);  // modules, clocks
  const double about_ms = round_ms(2, launch);
  const int launches =
      static_cast<int>(std::clamp(std::ceil(kRound_ms / about_ms), 2.0, double{kMostLaunches}));
  std::vector<double> rounds;
  for (int i = 0; i < kRounds; ++i) rounds.push_back(round_ms(launches, launch));
  std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
  return rounds[kRounds / 2];
}

gpu::DeviceBuffer filled_buffer(std::size_t bytes) {
  gpu::DeviceBuffer made(bytes, 0);
  check(cudaMemset(made.data(), 0x3c, bytes));
  check(cudaDeviceSynchronize());
  return made;
}

gpu::DeviceBuffer random_halves(std::size_t count, float range) {
  constexpr std::size_t kDifferent = std::size_t{1} << 22;
  std::vector<std::uint16_t> bits(std::min(count, kDifferent));
  std::uint32_t state = 1;
  for (std::uint16_t& value : bits) {
    state = state * 1664525u + 1013904223u;
    const float unit = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
    const auto half = static_cast<_Float16>(range * unit);
    value = __builtin_bit_cast(std::uint16_t, half);
  }
  gpu::DeviceBuffer made(count * 2, 0);
  for (std::size_t at = 0; at < made.size(); at += bits.size() * 2) {
    check(cudaMemcpy(static_cast<std::byte*>(made.data()) + at,
                     bits.data(),
                     std::min(bits.size() * 2, made.size() - at),
                     cudaMemcpyHostToDevice));
  }
  return made;
}

}  // namespace vsr::bench
