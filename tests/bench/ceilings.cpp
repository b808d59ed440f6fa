#include "ceilings.hpp"

#include "device_timer.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

namespace vsr::bench {

namespace {

constexpr gpu::StreamView kDefaultStream{.device = 0};
constexpr std::size_t kCopyBytes = std::size_t{512} << 20;
constexpr std::size_t kPinnedBytes = std::size_t{64} << 20;
constexpr int kProduct = 8192;

double gb_s(std::size_t bytes, double ms) { return static_cast<double>(bytes) / ms / 1e6; }

double copy_rate(const DeviceTimer& timer) {
  const gpu::DeviceBuffer from = filled_buffer(kCopyBytes);
  gpu::DeviceBuffer to = filled_buffer(kCopyBytes);
  return gb_s(2 * kCopyBytes, timer.ms([&](int) {
    gpu::copy_bytes_async(from.data(), to.data(), kCopyBytes, timer.stream());
  }));
}

double product_rate(const DeviceTimer& timer) {
  const auto product = product_of_halves(kProduct);
  const double ms = timer.ms([&](int) { product(); });
  return 2.0 * kProduct * kProduct * kProduct / ms / 1e9;
}

double pinned_rate(const DeviceTimer& timer, bool up) {
  gpu::PinnedBuffer host(kPinnedBytes, true);
  gpu::DeviceBuffer device = filled_buffer(kPinnedBytes);
  const void* from = up ? static_cast<const void*>(host.data()) : device.data();
  void* to = up ? device.data() : static_cast<void*>(host.data());
  return gb_s(kPinnedBytes, timer.ms([&](int) {
    gpu::copy_bytes_async(from, to, kPinnedBytes, timer.stream());
  }));
}

}  // namespace

Ceilings measure_ceilings() {
  require_gpu();
  const DeviceTimer timer(kDefaultStream);
  return {.copy_gb_s = copy_rate(timer), .product_tflop_s = product_rate(timer)};
}

void print_ceilings(const Ceilings& ceilings) {
  print_line(format("{}; copy {:.0f} GB/s, 8192^3 half product {:.0f} TFLOP/s",
                    gpu_name(),
                    ceilings.copy_gb_s,
                    ceilings.product_tflop_s));
}

void bench_ceilings(Arguments& words) {
  words.end();
  const Ceilings ceilings = measure_ceilings();
  const DeviceTimer timer(kDefaultStream);
  print_line(gpu_name());
  Table table({"ceiling", "", "unit"});
  table.row({"copy on the device, read and written", format("{:.0f}", ceilings.copy_gb_s), "GB/s"});
  table.row({"product of 8192^3 halves", format("{:.0f}", ceilings.product_tflop_s), "TFLOP/s"});
  table.row({"pinned memory to the device", format("{:.1f}", pinned_rate(timer, true)), "GB/s"});
  table.row({"the device to pinned memory", format("{:.1f}", pinned_rate(timer, false)), "GB/s"});
  table.print();
}

}  // namespace vsr::bench
