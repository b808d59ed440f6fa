// How busy the first GPU is while something else runs, as its driver tells (NVML).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

namespace vsr::bench {

class GpuLoad {
 public:
  // Samples from now on, five times a second; nothing where there is no such driver.
  GpuLoad();
  ~GpuLoad();
  GpuLoad(const GpuLoad&) = delete;
  GpuLoad& operator=(const GpuLoad&) = delete;

  using Time = std::chrono::system_clock::time_point;

  struct Span {
    Time begin;
    Time end;
  };

  struct Summary {
    double mean = 0;  // percent
    std::size_t samples = 0;
    std::vector<double> idle_s;  // samples of 0: when, in seconds of their span
  };

  void finish();
  // Of the samples within the spans, in each from the first one on that was busy: what comes before
  // is the start. Nothing where there are none. After finish().
  std::optional<Summary> summary(const std::vector<Span>& spans) const;

 private:
  void sample();

  std::atomic<bool> stop_ = false;

  struct Sample {
    Time time;
    int percent = 0;
  };

  std::vector<Sample> samples_;
  std::thread thread_;
};

}  // namespace vsr::bench
