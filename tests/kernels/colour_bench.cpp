// Times the colour and scaling kernels on a GPU: milliseconds, traffic (what must be read and
// written once), and its share of what a plain copy on the same device reaches.
//   colour_bench [DEVICE]
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/kernels/colour.hpp"
#include "vsr/kernels/lanczos.hpp"

#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using vsr::PictureFormat;
using vsr::gpu::DeviceBuffer;
using vsr::kernels::ElementType;

// Kernels go from set to set of buffers that together are more than a cache holds.
constexpr std::size_t kBytesOfSets = std::size_t{400} << 20;
constexpr std::size_t kBytesOfWait = std::size_t{4} << 30;
constexpr int kLaunches = 200;

void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

class Bench {
 public:
  explicit Bench(int device) : device_(device), wait_(kBytesOfWait, device) {
    check(cudaSetDevice(device));
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    check(cudaEventCreate(&begin_));
    check(cudaEventCreate(&end_));
  }

  ~Bench() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
    cudaStreamDestroy(stream_);
  }

  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  DeviceBuffer buffer(std::size_t bytes) const {
    DeviceBuffer made(bytes, device_);
    check(cudaMemsetAsync(made.data(), 0x3c, bytes, stream_));
    return made;
  }

  vsr::gpu::StreamView view() const { return {stream_, device_}; }

  cudaStream_t stream() const { return stream_; }

  int sets(std::size_t bytes) const { return static_cast<int>(kBytesOfSets / bytes) + 2; }

  // Milliseconds of a launch; launch(set) queues one. The best of three rounds.
  double time(int sets, const std::function<void(int)>& launch) const {
    double best = 1e9;
    for (int round = 0; round < 4; ++round) {  // the first to warm up
      // Something long first, so that the host is ahead of the device all along.
      check(cudaMemsetAsync(wait_.data(), 0, kBytesOfWait, stream_));
      check(cudaEventRecord(begin_, stream_));
      for (int i = 0; i < kLaunches; ++i) launch(i % sets);
      check(cudaEventRecord(end_, stream_));
      check(cudaEventSynchronize(end_));
      float ms = 0;
      check(cudaEventElapsedTime(&ms, begin_, end_));
      if (round > 0 && static_cast<double>(ms) / kLaunches < best) {
        best = static_cast<double>(ms) / kLaunches;
      }
    }
    return best;
  }

  void report(const std::string& what, std::size_t bytes, double ms) {
    const double rate = static_cast<double>(bytes) / ms / 1e6;
    if (copy_rate_ == 0) copy_rate_ = rate;
    std::printf("%-58s %8.4f ms %8.1f MB %8.0f GB/s %5.0f %%\n",
                what.c_str(),
                ms,
                static_cast<double>(bytes) / 1e6,
                rate,
                100 * rate / copy_rate_);
  }

 private:
  int device_;
  mutable DeviceBuffer wait_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
  double copy_rate_ = 0;
};

// A picture's planes in a buffer, rows at multiples of `unit` bytes.
vsr::MutablePictureView planes_in(DeviceBuffer& buffer,
                                  const PictureFormat& format,
                                  std::size_t unit) {
  vsr::MutablePictureView view{.format = format};
  auto* at = static_cast<std::byte*>(buffer.data());
  for (int i = 0; i < plane_count(format); ++i) {
    const auto plane = static_cast<std::size_t>(i);
    const auto row = static_cast<std::size_t>(plane_width(format, i)) *
                     static_cast<std::size_t>(bytes_per_sample(format));
    view.planes[plane] = at;
    view.pitch_bytes[plane] = static_cast<std::ptrdiff_t>(rounded_up(row, unit));
    at += rounded_up(static_cast<std::size_t>(view.pitch_bytes[plane] * plane_height(format, i)),
                     256);
  }
  return view;
}

std::size_t bytes_for(const PictureFormat& format) {
  return packed_bytes(format) + static_cast<std::size_t>(64 * 3 * format.height) + 1024;
}

std::int64_t rgb_stride(int width) { return (width + 3) / 4 * 4; }

std::size_t rgb_elements(int width, int height) {
  return 3 * static_cast<std::size_t>(rgb_stride(width)) * static_cast<std::size_t>(height);
}

vsr::kernels::MutableRgbView rgb_in(DeviceBuffer& buffer, int width, int height) {
  const std::int64_t stride = rgb_stride(width);
  return {static_cast<float*>(buffer.data()), width, height, stride, stride * height};
}

std::size_t pixels_of(int width, int height) {
  return static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
}

void bench_copy(Bench& bench) {
  constexpr std::size_t kBytes = std::size_t{512} << 20;
  DeviceBuffer from = bench.buffer(kBytes);
  DeviceBuffer to = bench.buffer(kBytes);
  const double ms = bench.time(1, [&](int) {
    check(
        cudaMemcpyAsync(to.data(), from.data(), kBytes, cudaMemcpyDeviceToDevice, bench.stream()));
  });
  bench.report("copy on the device", 2 * kBytes, ms);
}

void bench_to_rgb(Bench& bench, const PictureFormat& format) {
  const std::size_t bytes =
      packed_bytes(format) + 3 * sizeof(float) * pixels_of(format.width, format.height);
  const int sets = bench.sets(bytes);
  std::vector<DeviceBuffer> from;
  std::vector<DeviceBuffer> to;
  for (int i = 0; i < sets; ++i) {
    from.push_back(bench.buffer(bytes_for(format)));
    to.push_back(bench.buffer(sizeof(float) * rgb_elements(format.width, format.height)));
  }
  const double ms = bench.time(sets, [&](int i) {
    const auto set = static_cast<std::size_t>(i);
    vsr::kernels::launch_planes_to_rgb(planes_in(from[set], format, 16),
                                       {},
                                       rgb_in(to[set], format.width, format.height),
                                       bench.view());
  });
  bench.report(to_string(format) + " to RGB", bytes, ms);
}

void bench_to_planes(Bench& bench,
                     const PictureFormat& format,
                     ElementType type,
                     std::size_t pitch_unit,
                     const vsr::kernels::RgbToPlanesOptions& options,
                     const std::string& how) {
  const std::size_t element = type == ElementType::kFloat ? 4 : 2;
  const std::size_t bytes =
      packed_bytes(format) + 3 * element * pixels_of(format.width, format.height);
  const int sets = bench.sets(bytes);
  std::vector<DeviceBuffer> from;
  std::vector<DeviceBuffer> to;
  for (int i = 0; i < sets; ++i) {
    from.push_back(bench.buffer(element * rgb_elements(format.width, format.height)));
    to.push_back(bench.buffer(bytes_for(format)));
  }
  DeviceBuffer flag = bench.buffer(sizeof(int));
  const double ms = bench.time(sets, [&](int i) {
    const auto set = static_cast<std::size_t>(i);
    vsr::kernels::RgbView rgb = rgb_in(from[set], format.width, format.height);
    rgb.type = type;
    vsr::kernels::launch_rgb_to_planes(rgb,
                                       planes_in(to[set], format, pitch_unit),
                                       {},
                                       options,
                                       static_cast<int*>(flag.data()),
                                       bench.view());
  });
  bench.report((type == ElementType::kFloat ? "RGB to " : "half RGB to ") + to_string(format) + how,
               bytes,
               ms);
}

struct Axis {
  Axis(const Bench& bench, const vsr::kernels::LanczosTable& table)
      : first(bench.buffer(table.first.size() * sizeof(int))),
        weights(bench.buffer(table.weights.size() * sizeof(float))) {
    check(cudaStreamSynchronize(bench.stream()));
    check(cudaMemcpy(first.data(), table.first.data(), first.size(), cudaMemcpyHostToDevice));
    check(cudaMemcpy(weights.data(), table.weights.data(), weights.size(), cudaMemcpyHostToDevice));
    axis = {table.in,
            table.out,
            table.taps,
            static_cast<const int*>(first.data()),
            static_cast<const float*>(weights.data())};
  }

  DeviceBuffer first;
  DeviceBuffer weights;
  vsr::kernels::LanczosAxis axis;
};

void bench_lanczos(
    Bench& bench, int width, int height, int to_width, int to_height, ElementType type) {
  const std::size_t element = type == ElementType::kFloat ? 4 : 2;
  const std::size_t bytes =
      3 * (element * pixels_of(width, height) + sizeof(float) * pixels_of(to_width, to_height));
  const Axis across(bench, vsr::kernels::make_lanczos_table(width, to_width));
  const Axis down(bench, vsr::kernels::make_lanczos_table(height, to_height));
  const int sets = bench.sets(bytes);
  std::vector<DeviceBuffer> from;
  std::vector<DeviceBuffer> to;
  for (int i = 0; i < sets; ++i) {
    from.push_back(bench.buffer(element * rgb_elements(width, height)));
    to.push_back(bench.buffer(sizeof(float) * rgb_elements(to_width, to_height)));
  }
  const double ms = bench.time(sets, [&](int i) {
    const auto set = static_cast<std::size_t>(i);
    vsr::kernels::RgbView rgb = rgb_in(from[set], width, height);
    rgb.type = type;
    vsr::kernels::launch_lanczos(
        rgb, across.axis, down.axis, rgb_in(to[set], to_width, to_height), bench.view());
  });
  char what[100];
  std::snprintf(what,
                sizeof(what),
                "%sRGB %dx%d to %dx%d by Lanczos, %d taps",
                type == ElementType::kFloat ? "" : "half ",
                width,
                height,
                to_width,
                to_height,
                across.axis.taps);
  bench.report(what, bytes, ms);
}

void run(int device) {
  const vsr::gpu::DeviceInfo info = vsr::gpu::device_info(device);
  std::printf("%s, %s\n", info.name.c_str(), vsr::gpu::versions().c_str());
  Bench bench(device);
  bench_copy(bench);
  using enum vsr::ChromaSubsampling;
  const auto yuv = [](int width, int height, vsr::ChromaSubsampling subsampling, int depth) {
    return PictureFormat{width, height, vsr::ColourModel::kYuv, subsampling, depth};
  };
  bench_to_rgb(bench, yuv(1024, 432, k420, 8));
  bench_to_rgb(bench, yuv(1024, 432, k422, 10));
  bench_to_rgb(bench, yuv(4096, 1728, k422, 10));
  const auto full = yuv(4096, 1728, k422, 10);
  bench_to_planes(bench, full, ElementType::kFloat, 16, {}, "");
  bench_to_planes(
      bench, full, ElementType::kFloat, 16, {vsr::kernels::Dither::kOrdered, 1}, ", dithered");
  bench_to_planes(bench, full, ElementType::kHalf, 16, {}, "");
  bench_to_planes(bench, yuv(4096, 1728, k420, 10), ElementType::kFloat, 16, {}, "");
  bench_to_planes(bench, yuv(4096, 1728, k444, 10), ElementType::kFloat, 16, {}, "");
  bench_to_planes(bench, yuv(3414, 1440, k422, 10), ElementType::kFloat, 16, {}, "");
  bench_to_planes(
      bench, yuv(3414, 1440, k422, 10), ElementType::kFloat, 1, {}, ", rows without padding");
  bench_lanczos(bench, 4096, 1728, 3414, 1440, ElementType::kFloat);
  bench_lanczos(bench, 4096, 1728, 3414, 1440, ElementType::kHalf);
  bench_lanczos(bench, 4096, 1728, 2048, 864, ElementType::kFloat);
  bench_lanczos(bench, 4096, 1728, 2560, 1080, ElementType::kFloat);
  bench_lanczos(bench, 1024, 432, 4096, 1728, ElementType::kFloat);
}

}  // namespace

int main(int argc, char** argv) {
  if (vsr::gpu::device_count() == 0) {
    std::printf("%s\n", vsr::gpu::unavailable_reason().c_str());
    return 1;
  }
  try {
    run(argc > 1 ? std::atoi(argv[1]) : 0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
