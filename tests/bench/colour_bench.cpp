// The colour and scaling kernels: traffic (what must be read and written once) and its share of
// what a plain copy on the same device reaches.
#include "ceilings.hpp"
#include "device_timer.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/kernels/colour.hpp"
#include "vsr/kernels/lanczos.hpp"
#include "vsr/kernels/picture_digest.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vsr::bench {

namespace {

using gpu::DeviceBuffer;
using kernels::ElementType;

// Kernels go from set to set of buffers that together are more than a cache holds.
constexpr std::size_t kBytesOfSets = std::size_t{400} << 20;

std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::size_t element_bytes(ElementType type) { return type == ElementType::kFloat ? 4 : 2; }

std::size_t pixels_of(int width, int height) {
  return static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
}

// A picture's planes in a buffer, rows at multiples of `unit` bytes.
MutablePictureView planes_in(DeviceBuffer& buffer, const PictureFormat& format, std::size_t unit) {
  MutablePictureView view{.format = format};
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

kernels::MutableRgbView rgb_in(DeviceBuffer& buffer, int width, int height) {
  const std::int64_t stride = rgb_stride(width);
  return {static_cast<float*>(buffer.data()), width, height, stride, stride * height};
}

// What a kernel reads and writes in turn.
struct Sets {
  Sets(std::size_t traffic, std::size_t from_bytes, std::size_t to_bytes) {
    for (std::size_t i = 0; i < kBytesOfSets / traffic + 2; ++i) {
      from.push_back(filled_buffer(from_bytes));
      to.push_back(filled_buffer(to_bytes));
    }
  }

  std::size_t turn(int launch) const { return static_cast<std::size_t>(launch) % from.size(); }

  std::vector<DeviceBuffer> from;
  std::vector<DeviceBuffer> to;
};

class Bench {
 public:
  explicit Bench(const Ceilings& ceilings)
      : copy_gb_s_(ceilings.copy_gb_s), stream_(0), timer_(stream_.view()) {}

  void print() const { table_.print(); }

  void to_rgb(const PictureFormat& format) {
    const std::size_t traffic =
        packed_bytes(format) + 3 * sizeof(float) * pixels_of(format.width, format.height);
    Sets sets(
        traffic, bytes_for(format), sizeof(float) * rgb_elements(format.width, format.height));
    row(to_string(format) + " to RGB", traffic, [&](int i) {
      const std::size_t turn = sets.turn(i);
      kernels::launch_planes_to_rgb(planes_in(sets.from[turn], format, 16),
                                    {},
                                    rgb_in(sets.to[turn], format.width, format.height),
                                    stream_.view());
    });
  }

  void to_planes(const PictureFormat& format,
                 ElementType type = ElementType::kFloat,
                 std::size_t pitch_unit = 16,
                 const kernels::RgbToPlanesOptions& options = {},
                 const std::string& how = "") {
    const std::size_t traffic =
        packed_bytes(format) + 3 * element_bytes(type) * pixels_of(format.width, format.height);
    Sets sets(traffic,
              element_bytes(type) * rgb_elements(format.width, format.height),
              bytes_for(format));
    DeviceBuffer flag = filled_buffer(sizeof(int));
    const std::string from = type == ElementType::kFloat ? "RGB to " : "half RGB to ";
    row(from + to_string(format) + how, traffic, [&](int i) {
      const std::size_t turn = sets.turn(i);
      kernels::RgbView rgb = rgb_in(sets.from[turn], format.width, format.height);
      rgb.type = type;
      kernels::launch_rgb_to_planes(rgb,
                                    planes_in(sets.to[turn], format, pitch_unit),
                                    {},
                                    options,
                                    static_cast<int*>(flag.data()),
                                    stream_.view());
    });
  }

  void lanczos(
      int width, int height, int to_width, int to_height, ElementType type = ElementType::kFloat) {
    const std::size_t traffic = 3 * (element_bytes(type) * pixels_of(width, height) +
                                     sizeof(float) * pixels_of(to_width, to_height));
    const Axis across(kernels::make_lanczos_table(width, to_width), stream_);
    const Axis down(kernels::make_lanczos_table(height, to_height), stream_);
    Sets sets(traffic,
              element_bytes(type) * rgb_elements(width, height),
              sizeof(float) * rgb_elements(to_width, to_height));
    const std::string what = format("{}RGB {}x{} to {}x{} by Lanczos, {} taps",
                                    type == ElementType::kFloat ? "" : "half ",
                                    width,
                                    height,
                                    to_width,
                                    to_height,
                                    across.axis.taps);
    row(what, traffic, [&](int i) {
      const std::size_t turn = sets.turn(i);
      kernels::RgbView rgb = rgb_in(sets.from[turn], width, height);
      rgb.type = type;
      kernels::launch_lanczos(
          rgb, across.axis, down.axis, rgb_in(sets.to[turn], to_width, to_height), stream_.view());
    });
  }

  void digest(const PictureFormat& source, const PictureFormat& picture) {
    const kernels::DigestShape shape = kernels::digest_shape(source, picture, {});
    const std::array<kernels::PlaneAxes, 2> tables = kernels::digest_axes(shape);
    const Axis luma_across(tables[0].across, stream_);
    const Axis luma_down(tables[0].down, stream_);
    const Axis chroma_across(tables[1].across, stream_);
    const Axis chroma_down(tables[1].down, stream_);
    const std::size_t traffic = packed_bytes(picture) + kernels::digest_bytes(shape);
    Sets sets(traffic, bytes_for(picture), kernels::digest_bytes(shape));
    row(to_string(picture) + " to a digest", traffic, [&](int i) {
      const std::size_t turn = sets.turn(i);
      kernels::launch_digest(planes_in(sets.from[turn], picture, 16),
                             shape,
                             {kernels::DevicePlaneAxes{luma_across.axis, luma_down.axis},
                              kernels::DevicePlaneAxes{chroma_across.axis, chroma_down.axis}},
                             static_cast<std::byte*>(sets.to[turn].data()),
                             stream_.view());
    });
  }

 private:
  struct Axis {
    Axis(const kernels::AxisTable& table, const gpu::Stream& stream)
        : first(table.first.size() * sizeof(int), 0),
          weights(table.weights.size() * sizeof(float), 0) {
      gpu::copy_bytes_async(table.first.data(), first.data(), first.size(), stream.view());
      gpu::copy_bytes_async(table.weights.data(), weights.data(), weights.size(), stream.view());
      stream.wait();
      axis = {table.in,
              table.out,
              table.taps,
              static_cast<const int*>(first.data()),
              static_cast<const float*>(weights.data())};
    }

    DeviceBuffer first;
    DeviceBuffer weights;
    kernels::DeviceAxis axis;
  };

  void row(const std::string& what, std::size_t traffic, const std::function<void(int)>& launch) {
    const double ms = timer_.ms(launch);
    const double gb_s = static_cast<double>(traffic) / ms / 1e6;
    table_.row({what,
                format("{:.4f}", ms),
                format("{:.1f}", static_cast<double>(traffic) / 1e6),
                format("{:.0f}", gb_s),
                format("{:.0f}%", 100 * gb_s / copy_gb_s_)});
  }

  double copy_gb_s_;
  gpu::Stream stream_;
  DeviceTimer timer_;
  Table table_{{"kernel", "ms", "MB", "GB/s", "share of the copy rate"}};
};

}  // namespace

void bench_colour(Arguments& words) {
  words.end();
  const Ceilings ceilings = measure_ceilings();
  print_ceilings(ceilings);
  Bench bench(ceilings);
  using enum ChromaSubsampling;
  const auto yuv = [](int width, int height, ChromaSubsampling subsampling, int depth) {
    return PictureFormat{width, height, ColourModel::kYuv, subsampling, depth};
  };
  bench.to_rgb(yuv(1024, 432, k420, 8));
  bench.to_rgb(yuv(1024, 432, k422, 10));
  bench.to_rgb(yuv(4096, 1728, k422, 10));
  const PictureFormat full = yuv(4096, 1728, k422, 10);
  bench.to_planes(full);
  bench.to_planes(full, ElementType::kFloat, 16, {kernels::Dither::kOrdered, 1}, ", dithered");
  bench.to_planes(full, ElementType::kHalf);
  bench.to_planes(yuv(4096, 1728, k420, 10));
  bench.to_planes(yuv(4096, 1728, k444, 10));
  bench.to_planes(yuv(3414, 1440, k422, 10));
  bench.to_planes(yuv(3414, 1440, k422, 10), ElementType::kFloat, 1, {}, ", rows without padding");
  bench.lanczos(4096, 1728, 3414, 1440);
  bench.lanczos(4096, 1728, 3414, 1440, ElementType::kHalf);
  bench.lanczos(4096, 1728, 2048, 864);
  bench.lanczos(4096, 1728, 2560, 1080);
  bench.lanczos(1024, 432, 4096, 1728);
  bench.digest(yuv(1024, 432, k420, 8), full);
  bench.digest(yuv(1024, 432, k420, 8), yuv(3414, 1440, k422, 10));
  bench.print();
}

}  // namespace vsr::bench
