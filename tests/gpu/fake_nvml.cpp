// Stands in for libnvidia-ml.so.1: one card of 80 GB, and what VSR_FAKE_NVML says goes wrong.
#include <cstdlib>
#include <cstring>

namespace {

int card = 0;

bool fails(const char* call) {
  const char* const wish = std::getenv("VSR_FAKE_NVML");
  return wish != nullptr && std::strcmp(wish, call) == 0;
}

struct Memory {
  unsigned long long total, free, used;
};

struct Utilization {
  unsigned gpu, memory;
};

}  // namespace

extern "C" {
int nvmlInit_v2() { return fails("init") ? 9 : 0; }

int nvmlShutdown() { return 0; }

int nvmlDeviceGetHandleByUUID(const char* id, void** handle) {
  *handle = &card;
  return std::strcmp(id, "GPU-1") == 0 ? 0 : 6;
}

int nvmlDeviceGetMemoryInfo(void* handle, Memory* memory) {
  *memory = {80'000'000'000, 30'000'000'000, 50'000'000'000};
  return handle != &card || fails("memory") ? 3 : 0;
}

#ifndef VSR_FAKE_NVML_WITHOUT_LOAD
int nvmlDeviceGetUtilizationRates(void* handle, Utilization* load) {
  *load = {97, 40};
  return handle != &card || fails("load") ? 3 : 0;
}
#endif

const char* nvmlErrorString(int status) { return status == 3 ? "Not Supported" : nullptr; }
}
