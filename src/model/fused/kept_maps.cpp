#include "fused/kept_maps.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace vsr::model::fused {

namespace {

constexpr std::int64_t kAhead = KeptMaps::kRing - 1;  // frames that are brought before their visit
constexpr std::int64_t kNone = -1;
// Of what the host has left. A system that runs out of pinned memory does not say so: it kills.
constexpr double kHostShare = 0.9;

}  // namespace

struct KeptMaps::Host {
  // A place in the ring.
  struct Place {
    std::int64_t frame = kNone;  // whose map lies there, once `arrived` has happened
    gpu::Event arrived;          // its copy up, if it came that way and nobody waited for it yet
    gpu::Event copied;           // the last copy, up or down
  };

  Host(std::size_t bytes, gpu::StreamView compute_in)
      : compute(compute_in), memory(bytes, true), up(compute_in.device), down(compute_in.device) {}

  ~Host() {
    try {
      up.wait();
      down.wait();
    } catch (const std::exception& error) {
      log::warning("model", "{}", error.what());
    }
  }

  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  Place& place(std::size_t kind, std::int64_t frame) {
    return ring[kind][static_cast<std::size_t>(frame % kRing)];
  }

  const gpu::StreamView compute;
  gpu::PinnedBuffer memory;  // slots of the first kind, of the second, ...
  gpu::Stream up;
  gpu::Stream down;
  gpu::Event computed;  // all visits that have ended
  std::array<std::array<Place, kRing>, kKinds> ring;
};

KeptMaps::KeptMaps() = default;

KeptMaps::KeptMaps(
    Arena& arena, std::int64_t frames, int height, int width, int channels, bool on_host)
    : capacity_(on_host ? (frames + kRing - 1) / kRing * kRing : frames), on_host_(on_host) {
  places_ = on_host ? kRing : capacity_;
  for (Map& map : maps_) {
    map = arena.take_map(static_cast<int>(places_), height, width, channels);
  }
}

KeptMaps::~KeptMaps() = default;
KeptMaps::KeptMaps(KeptMaps&&) noexcept = default;
KeptMaps& KeptMaps::operator=(KeptMaps&&) noexcept = default;

std::size_t KeptMaps::map_bytes() const {
  return static_cast<std::size_t>(maps_[0].image_elements()) * sizeof(std::uint16_t);
}

std::size_t KeptMaps::host_bytes() const {
  return on_host_ ? kKinds * static_cast<std::size_t>(capacity_) * map_bytes() : 0;
}

void KeptMaps::take_host_memory(gpu::StreamView compute) {
  if (!on_host_) return;
  const double left = kHostShare * static_cast<double>(usable_memory_bytes());
  const auto needed = static_cast<double>(host_bytes());
  if (needed > left) {
    throw OutOfMemory(
        format("{:.1f} GB of host memory do not hold the features of {} frames ({:.1f} GB): make "
               "windows shorter, or set stream.features = device",
               left / 1e9,
               capacity_,
               needed / 1e9));
  }
  host_ = std::make_unique<Host>(host_bytes(), compute);
}

Map KeptMaps::at(std::size_t kind, std::int64_t frame, int images) const {
  return image_of(maps_[kind], frame % places_, images);
}

std::int64_t KeptMaps::in_a_row(std::int64_t frame) const {
  // One half of the ring goes down while the other is written.
  const std::int64_t row = on_host_ ? kRing / 2 : capacity_;
  return row - frame % row;
}

std::byte* KeptMaps::in_host_memory(std::size_t kind, std::int64_t frame) const {
  const auto slot = static_cast<std::size_t>(frame % capacity_);
  return host_->memory.data() + (kind * static_cast<std::size_t>(capacity_) + slot) * map_bytes();
}

void KeptMaps::make_ready(const Visit& visit) {
  const std::int64_t ahead = std::min(kAhead, visit.to_come);
  for (std::int64_t i = 0; i <= ahead; ++i) {
    for (std::size_t kind = 0; kind < visit.reads; ++kind) {
      bring(kind, visit.frame + i * visit.direction);
    }
  }
  for (std::size_t kind = 0; kind < visit.reads; ++kind) await(kind, visit.frame);
  if (visit.reads == kKinds) return;
  const std::size_t own = visit.reads;
  for (std::int64_t i = 1; i <= visit.past; ++i) {
    bring(own, visit.frame - i * visit.direction);
    await(own, visit.frame - i * visit.direction);
  }
  Host::Place& place = host_->place(own, visit.frame);
  place.copied.hold(host_->compute);
  place.frame = visit.frame;
  place.arrived = {};
}

void KeptMaps::put_away(const Visit& visit) {
  host_->computed = gpu::Event::record(host_->compute);
  if (visit.reads == kKinds) return;
  const std::size_t own = visit.reads;
  const gpu::StreamView down = host_->down.view();
  host_->computed.hold(down);
  gpu::copy_bytes_async(
      at(own, visit.frame).data, in_host_memory(own, visit.frame), map_bytes(), down);
  host_->place(own, visit.frame).copied = gpu::Event::record(down);
}

// Queues the copy of a map into its place, unless it is there.
void KeptMaps::bring(std::size_t kind, std::int64_t frame) {
  Host::Place& place = host_->place(kind, frame);
  if (place.frame == frame) return;
  const gpu::StreamView up = host_->up.view();
  host_->computed.hold(up);
  place.copied.hold(up);
  gpu::copy_bytes_async(in_host_memory(kind, frame), at(kind, frame).data, map_bytes(), up);
  place.frame = frame;
  place.arrived = gpu::Event::record(up);
  place.copied = place.arrived;
}

// What is computed from here on waits until a map that was brought is in its place.
void KeptMaps::await(std::size_t kind, std::int64_t frame) {
  std::exchange(host_->place(kind, frame).arrived, {}).hold(host_->compute);
}

}  // namespace vsr::model::fused
