#include "vsr/gpu/device.hpp"

#include "cuda/check.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <dlfcn.h>

namespace vsr::gpu {

namespace {

std::string version_text(int version) {
  return format("{}.{}", version / 1000, version % 1000 / 10);
}

// As nvidia-smi writes it.
std::string id_text(const cudaUUID_t& uuid) {
  std::string text = "GPU";
  for (std::size_t i = 0; i < sizeof(uuid.bytes); ++i) {
    const bool begins_group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
    text += format("{}{:02x}", begins_group ? "-" : "", static_cast<unsigned char>(uuid.bytes[i]));
  }
  return text;
}

int driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

void require_device(int index) {
  const int count = device_count();
  if (count == 0) throw Error(ErrorCode::kGpu, "no GPU: " + unavailable_reason());
  if (index < 0 || index >= count) {
    throw Error(ErrorCode::kGpu,
                format("no GPU {}: this process sees {}, numbered from 0", index, count));
  }
}

}  // namespace

bool built_with_cuda() noexcept { return true; }

int device_count() noexcept {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();
  return 0;
}

std::string unavailable_reason() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return "";
  cudaGetLastError();
  if (driver_version() == 0) return "no NVIDIA driver on this machine";
  if (status == cudaErrorInsufficientDriver) {
    int runtime = 0;
    cudaRuntimeGetVersion(&runtime);
    return format("the NVIDIA driver is for CUDA {}, this program needs {} or newer",
                  version_text(driver_version()),
                  version_text(runtime));
  }
  if (status == cudaSuccess || status == cudaErrorNoDevice) {
    return "the driver shows no GPU (see CUDA_VISIBLE_DEVICES)";
  }
  return cudaGetErrorString(status);
}

DeviceInfo device_info(int index) {
  require_device(index);
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, index), format("cannot ask about GPU {}", index));
  return {.index = index,
          .name = properties.name,
          .id = id_text(properties.uuid),
          .compute_major = properties.major,
          .compute_minor = properties.minor,
          .total_bytes = properties.totalGlobalMem};
}

MemoryInfo memory_info(int index) {
  require_device(index);
  const DeviceGuard guard(index);
  std::size_t free = 0;
  std::size_t total = 0;
  check_cuda(cudaMemGetInfo(&free, &total), format("cannot ask for the memory of GPU {}", index));
  return {.free_bytes = free, .total_bytes = total};
}

void* driver_context(int index) {
  require_device(index);
  const DeviceGuard guard(index);
  check_cuda(cudaFree(nullptr), format("cannot use GPU {}", index));  // makes the context
  // Of the driver, which the runtime has loaded; we are not linked with it, so that the program
  // starts without one.
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  void* found = driver == nullptr ? nullptr : dlsym(driver, "cuCtxGetCurrent");
  void* context = nullptr;
  if (found == nullptr || reinterpret_cast<int (*)(void**)>(found)(&context) != 0 ||
      context == nullptr) {
    throw Error(ErrorCode::kGpu, format("the driver does not tell the context of GPU {}", index));
  }
  return context;
}

std::string versions() {
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  const int driver = driver_version();
  return format(
      "driver {}, runtime {}", driver == 0 ? "none" : version_text(driver), version_text(runtime));
}

}  // namespace vsr::gpu
