#include "gpu_load.hpp"

#include <dlfcn.h>

#include <memory>

namespace vsr::bench {

namespace {

constexpr auto kEvery = std::chrono::milliseconds(200);

// NVML's own declarations, of which its ABI keeps what is used here; its header is in no package
// that a build needs.
struct Utilisation {
  unsigned gpu = 0;
  unsigned memory = 0;
};

using Init = int (*)();
using DeviceByIndex = int (*)(unsigned, void**);
using UtilisationOf = int (*)(void*, Utilisation*);

struct Closer {
  void operator()(void* library) const { dlclose(library); }
};

}  // namespace

GpuLoad::GpuLoad() : thread_([this] { sample(); }) {}

GpuLoad::~GpuLoad() { finish(); }

void GpuLoad::sample() {
  const std::unique_ptr<void, Closer> library(dlopen("libnvidia-ml.so.1", RTLD_NOW));
  if (!library) return;
  const auto init = reinterpret_cast<Init>(dlsym(library.get(), "nvmlInit_v2"));
  const auto shutdown = reinterpret_cast<Init>(dlsym(library.get(), "nvmlShutdown"));
  const auto device_by_index =
      reinterpret_cast<DeviceByIndex>(dlsym(library.get(), "nvmlDeviceGetHandleByIndex_v2"));
  const auto utilisation_of =
      reinterpret_cast<UtilisationOf>(dlsym(library.get(), "nvmlDeviceGetUtilizationRates"));
  if (init == nullptr || shutdown == nullptr || device_by_index == nullptr ||
      utilisation_of == nullptr || init() != 0) {
    return;
  }
  void* device = nullptr;
  Utilisation utilisation;
  if (device_by_index(0, &device) == 0) {
    while (!stop_ && utilisation_of(device, &utilisation) == 0) {
      samples_.push_back({std::chrono::system_clock::now(), static_cast<int>(utilisation.gpu)});
      std::this_thread::sleep_for(kEvery);
    }
  }
  shutdown();
}

void GpuLoad::finish() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

std::optional<GpuLoad::Summary> GpuLoad::summary(const std::vector<Span>& spans) const {
  Summary summary;
  double sum = 0;
  for (const Span& span : spans) {
    bool begun = false;
    for (const Sample& sample : samples_) {
      if (sample.time < span.begin || sample.time > span.end) continue;
      begun = begun || sample.percent > 0;
      if (!begun) continue;
      ++summary.samples;
      sum += sample.percent;
      if (sample.percent == 0) {
        summary.idle_s.push_back(std::chrono::duration<double>(sample.time - span.begin).count());
      }
    }
  }
  if (summary.samples == 0) return std::nullopt;
  summary.mean = sum / static_cast<double>(summary.samples);
  return summary;
}

}  // namespace vsr::bench
