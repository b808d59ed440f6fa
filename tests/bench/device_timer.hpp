// Times work on the GPU by CUDA's events: milliseconds of a launch among others like it.
#pragma once

#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/stream.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace vsr::bench {

// Throws Error(kGpu) with the reason where there is none.
void require_gpu();

// "NVIDIA H100 80GB HBM3, driver 13.0, runtime 13.0"
std::string gpu_name();

// Points in a stream's work between which time is measured. Points are numbered from 0.
class Stopwatch {
 public:
  explicit Stopwatch(gpu::StreamView stream);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  void mark();

  std::size_t marks() const { return used_; }

  // After the stream has passed both.
  double ms(std::size_t from, std::size_t to) const;

  // Events are kept for the next round.
  void reset() { used_ = 0; }

 private:
  gpu::StreamView stream_;
  std::vector<void*> events_;
  std::size_t used_ = 0;
};

class DeviceTimer {
 public:
  explicit DeviceTimer(gpu::StreamView stream);

  gpu::StreamView stream() const { return stream_; }

  // The median over rounds of launches that follow each other without a gap, the host ahead of the
  // device all along; launch(i) queues number i of a round.
  double ms(const std::function<void(int)>& launch) const;

 private:
  double round_ms(int launches, const std::function<void(int)>& launch) const;

  gpu::StreamView stream_;
  mutable gpu::DeviceBuffer wait_;
  mutable Stopwatch watch_;
};

// Bytes 0x3c: small positive numbers in every format.
gpu::DeviceBuffer filled_buffer(std::size_t bytes);
// Halves in -range..range: tensor cores are faster, and cooler, on zeros.
gpu::DeviceBuffer random_halves(std::size_t count, float range = 1);

}  // namespace vsr::bench
