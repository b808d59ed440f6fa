// How long the device takes for a ProRes picture of 4096x1728, by grain, over pictures that do not
// fit its cache together. The first packet of each is compared with the plain reference's.
#include "../kernels/prores_reference.hpp"
#include "device_timer.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>

namespace vsr::bench {

namespace {

using namespace kernels;
using kernels::test::HostPicture;

constexpr ProresSettings kSettings{.width = 4096, .height = 1728};
constexpr std::size_t kPictures = 4;

// Soft shapes with some sharp edges, and grain of this standard deviation (of 1023).
HostPicture made_picture(std::size_t index, double grain) {
  HostPicture picture(kSettings.width, kSettings.height);
  std::uint64_t state = 88172645463325252ull + index;
  const auto random = [&] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<double>(state >> 40) / (1 << 24) - 0.5;
  };
  const double moved = static_cast<double>(index);
  for (int p = 0; p < 3; ++p) {
    const int width = picture.plane_width(p);
    const double size = p == 0 ? 1 : 0.4;
    std::vector<double> across;
    for (int x = 0; x < width; ++x) {
      across.push_back(120 * std::sin(x * 0.004 + moved) + 25 * std::sin(x * 0.11) +
                       6 * std::sin(x * 0.9 + p));
    }
    std::uint16_t* out = picture.planes[p].data();
    for (int y = 0; y < kSettings.height; ++y) {
      const double down = 90 * std::cos(y * 0.007) + 20 * std::sin(y * 0.13 + moved);
      for (int x = 0; x < width; ++x) {
        const double edge = (x / 3 + 2 * y) % 700 < 250 ? 60 : 0;
        // The sum of four is close to a normal distribution, of variance 4 / 12.
        const double noise = (random() + random() + random() + random()) * 1.732 * grain;
        const double value =
            500 + size * (across[static_cast<std::size_t>(x)] + down + edge) + noise;
        *out++ = static_cast<std::uint16_t>(std::clamp(std::lround(value), 4l, 1019l));
      }
    }
  }
  return picture;
}

struct DevicePlanes {
  DevicePlanes(const HostPicture& picture, gpu::StreamView stream) {
    for (int p = 0; p < 3; ++p) {
      const auto& plane = picture.planes[p];
      auto& memory = planes[static_cast<std::size_t>(p)];
      memory = gpu::DeviceBuffer(plane.size() * sizeof(plane[0]), stream.device);
      gpu::copy_bytes_async(plane.data(), memory.data(), memory.size(), stream);
      view.planes[p] = static_cast<const std::uint16_t*>(memory.data());
      view.pitch_bytes[p] = picture.plane_width(p) * 2;
    }
  }

  std::array<gpu::DeviceBuffer, 3> planes;
  ProresPicture view;
};

}  // namespace

void bench_prores(Arguments& words) {
  const std::string folder = words.text("FOLDER", "");
  words.end();
  require_gpu();
  print_line(format("{}; {}x{}", gpu_name(), kSettings.width, kSettings.height));
  const gpu::Stream stream(0);
  const DeviceTimer timer(stream.view());
  gpu::DeviceBuffer workspace(prores_workspace_bytes(kSettings), 0);
  gpu::DeviceBuffer packet(prores_packet_capacity(kSettings), 0);
  gpu::PinnedBuffer size(sizeof(std::uint32_t), true);

  Table table({"grain", "bytes", "ms", "of the device at 100 pictures/s", "the reference's bytes"});
  for (const double grain : {0.0, 2.0, 6.0, 12.0, 40.0}) {
    std::vector<DevicePlanes> pictures;
    const HostPicture first = made_picture(0, grain);
    for (std::size_t i = 0; i < kPictures; ++i) {
      const HostPicture picture = i == 0 ? first : made_picture(i, grain);
      pictures.emplace_back(picture, stream.view());
      stream.wait();
    }
    const auto encode = [&](std::size_t i) {
      launch_prores_encode(kSettings,
                           pictures[i].view,
                           workspace.data(),
                           static_cast<std::byte*>(packet.data()),
                           reinterpret_cast<std::uint32_t*>(size.data()),
                           stream.view());
    };
    encode(0);
    stream.wait();
    std::vector<std::uint8_t> bytes(
        std::min<std::size_t>(*reinterpret_cast<const std::uint32_t*>(size.data()), packet.size()));
    gpu::copy_bytes_async(packet.data(), bytes.data(), bytes.size(), stream.view());
    stream.wait();
    if (!folder.empty()) {
      const std::string path = format("{}/grain-{:.0f}.icpf", folder, grain);
      std::ofstream file(path, std::ios::binary);
      file.write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
      if (!file) throw Error(ErrorCode::kStorage, format("{}: cannot be written", path));
    }
    const double ms = timer.ms([&](int i) { encode(static_cast<std::size_t>(i) % kPictures); });
    table.row({format("{:.0f}", grain),
               format("{}", bytes.size()),
               format("{:.3f}", ms),
               format("{:.1f}%", 10 * ms),
               bytes == kernels::test::prores_reference(kSettings, first) ? "yes" : "NO"});
  }
  table.print();
}

}  // namespace vsr::bench
