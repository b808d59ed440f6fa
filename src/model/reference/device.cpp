#include "device.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/gpu/device.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <new>
#include <string>

namespace vsr::model::reference {

namespace {

at::ScalarType feature_type(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return at::kBFloat16;
    case Precision::kFp16:
      return at::kHalf;
    case Precision::kFp32:
    case Precision::kTf32:
      break;
  }
  return at::kFloat;
}

// Torch's messages go on for pages; the first line says it.
std::string first_line(std::string_view text) {
  // Torch's advice on its allocator's settings follows the fact and is none of our user's.
  for (const std::string_view advice : {"\n", " Of the allocated memory", " If reserved"}) {
    text = text.substr(0, text.find(advice));
  }
  return std::string(text);
}

// cuDNN and cuBLAS report memory they could not get as a status, the CPU allocator as an assertion.
bool is_memory(std::string_view text) {
  for (const std::string_view sign : {"out of memory",
                                      "CUDNN_STATUS_ALLOC_FAILED",
                                      "CUBLAS_STATUS_ALLOC_FAILED",
                                      "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
                                      "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
                                      "can't allocate memory",
                                      "not enough memory"}) {
    if (text.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

Compute make_compute(const DeviceSpec& device, Precision precision, int cpu_threads) {
  Compute compute;
  compute.precision = precision;
  if (device.cuda) {
    gpu::device_info(device.index);  // throws when it is not there
    compute.device =
        c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device.index));
    compute.type = feature_type(precision);
  } else if (precision != Precision::kFp32) {
    throw Error(ErrorCode::kModel,
                format("precision {} needs a GPU; the CPU computes in fp32", to_string(precision)));
  }
  compute.cpu_threads = cpu_threads > 0 ? cpu_threads : usable_cpus();
  return compute;
}

ComputeScope::ComputeScope(const Compute& compute) : device_(compute.device) {
  if (compute.on_cuda()) {
    at::Context& context = at::globalContext();
    const bool tf32 = compute.precision != Precision::kFp32;
    context.setAllowTF32CuDNN(tf32);
    context.setAllowTF32CuBLAS(tf32);
    // Trying algorithms out (cuDNN's benchmark mode) picks by the clock: two runs, or two ranks,
    // then differ in the last bit. It also costs seconds at the start, and gained nothing
    // measurable.
    context.setBenchmarkCuDNN(false);
    context.setDeterministicCuDNN(true);
  } else if (at::get_num_threads() != compute.cpu_threads) {
    at::set_num_threads(compute.cpu_threads);
  }
}

void rethrow_as_ours(const Compute& compute, std::string_view what) {
  const auto out_of_memory = [&](std::string_view why) {
    // Clears CUDA's pending error and lets the next, shorter attempt start from a clean slate.
    release_cached_memory(compute.device);
    throw OutOfMemory(format("{}: {}", what, first_line(why)));
  };
  try {
    throw;
  } catch (const OutOfMemory&) {
    release_cached_memory(compute.device);
    throw;
  } catch (const Error&) {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    out_of_memory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    if (is_memory(text)) out_of_memory(text);
    throw Error(compute.on_cuda() ? ErrorCode::kGpu : ErrorCode::kInternal,
                format("{}: {}", what, first_line(text)));
  } catch (const std::bad_alloc&) {
    out_of_memory("out of host memory");
  } catch (const std::exception& error) {
    if (is_memory(error.what())) out_of_memory(error.what());
    throw Error(compute.on_cuda() ? ErrorCode::kGpu : ErrorCode::kInternal,
                format("{}: {}", what, first_line(error.what())));
  }
  throw Error(ErrorCode::kInternal, format("{}: out_of_memory() came back", what));
}

}  // namespace vsr::model::reference
