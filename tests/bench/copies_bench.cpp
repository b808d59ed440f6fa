// What a film sends over the bus: its pictures up, the network's pictures or packets down, plane by
// plane from and to pinned memory as the pipeline does it.
#include "device_timer.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <array>

namespace vsr::bench {

namespace {

constexpr std::size_t kRing = 8;  // pictures that are sent in turn

// A ring of pictures in pinned memory, and one on the device with rows as the program pads them.
class Way {
 public:
  Way(const PictureFormat& format, bool up) : format_(format), up_(up) {
    for (gpu::PinnedBuffer& host : ring_) host = gpu::PinnedBuffer(packed_bytes(format), true);
    for (int i = 0; i < plane_count(format); ++i) {
      pitch_bytes_[static_cast<std::size_t>(i)] = (row_bytes(i) + 255) / 256 * 256;
      device_[static_cast<std::size_t>(i)] =
          filled_buffer(pitch_bytes_[static_cast<std::size_t>(i)] *
                        static_cast<std::size_t>(plane_height(format, i)));
    }
  }

  void send(int number, gpu::StreamView stream) {
    const MutablePictureView host =
        packed_view(format_, ring_[static_cast<std::size_t>(number) % kRing].data());
    for (int i = 0; i < plane_count(format_); ++i) {
      const auto plane = static_cast<std::size_t>(i);
      gpu::PlaneCopy copy{.row_bytes = row_bytes(i),
                          .rows = static_cast<std::size_t>(plane_height(format_, i))};
      copy.from = up_ ? static_cast<const void*>(host.planes[plane]) : device_[plane].data();
      copy.to = up_ ? device_[plane].data() : static_cast<void*>(host.planes[plane]);
      const auto pitch = static_cast<std::ptrdiff_t>(pitch_bytes_[plane]);
      copy.from_pitch_bytes = up_ ? host.pitch_bytes[plane] : pitch;
      copy.to_pitch_bytes = up_ ? pitch : host.pitch_bytes[plane];
      gpu::copy_plane_async(copy, stream);
    }
  }

  std::string what() const { return to_string(format_) + (up_ ? " up" : " down"); }

  std::size_t bytes() const { return packed_bytes(format_); }

 private:
  std::size_t row_bytes(int plane) const {
    return static_cast<std::size_t>(plane_width(format_, plane)) *
           static_cast<std::size_t>(bytes_per_sample(format_));
  }

  PictureFormat format_;
  bool up_;
  std::array<gpu::PinnedBuffer, kRing> ring_;
  std::array<gpu::DeviceBuffer, 3> device_;
  std::array<std::size_t, 3> pitch_bytes_{};
};

void row(Table& table, const std::string& what, std::size_t bytes, double ms) {
  table.row({what,
             format("{:.3f}", ms),
             format("{:.1f}", static_cast<double>(bytes) / 1e6),
             format("{:.1f}", static_cast<double>(bytes) / ms / 1e6),
             format("{:.0f}", 1e3 / ms)});
}

}  // namespace

void bench_copies(Arguments& words) {
  words.end();
  require_gpu();
  print_line(gpu_name());
  using enum ChromaSubsampling;
  const PictureFormat small{1024, 432, ColourModel::kYuv, k420, 8};
  const PictureFormat large{4096, 1728, ColourModel::kYuv, k422, 10};
  Way up(small, true);
  Way down(large, false);
  const gpu::Stream stream(0);
  const gpu::Stream other(0);
  const DeviceTimer timer(stream.view());
  Table table({"copy", "ms", "MB", "GB/s", "a second"});
  row(table, up.what(), up.bytes(), timer.ms([&](int i) { up.send(i, stream.view()); }));
  row(table, down.what(), down.bytes(), timer.ms([&](int i) { down.send(i, stream.view()); }));
  // Both at once, as in the pipeline: the timed stream ends when the other one has.
  const double both_ms = timer.ms([&](int i) {
    gpu::Event::record(stream.view()).hold(other.view());
    up.send(i, other.view());
    down.send(i, stream.view());
    gpu::Event::record(other.view()).hold(stream.view());
  });
  row(table, "both at once", up.bytes() + down.bytes(), both_ms);

  constexpr std::size_t kPacketBytes = 3'117'000;  // ProRes 422 HQ of such a picture
  gpu::PinnedBuffer host(kPacketBytes, true);
  const gpu::DeviceBuffer packet = filled_buffer(kPacketBytes);
  row(table, "4096x1728 ProRes packet down", kPacketBytes, timer.ms([&](int) {
    gpu::copy_bytes_async(packet.data(), host.data(), kPacketBytes, stream.view());
  }));
  table.print();
}

}  // namespace vsr::bench
