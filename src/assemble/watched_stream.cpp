#include "watched_stream.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace vsr::assemble {

namespace {

constexpr auto kCheckEvery = std::chrono::milliseconds(100);

}  // namespace

bool read_watched(VideoStream& video,
                  const std::function<bool(std::int64_t)>& progress,
                  const std::function<void(const AVPacket&)>& take) {
  std::atomic<std::int64_t> packets = 0;
  std::atomic<bool> over = false;
  std::atomic<bool> stopped = false;
  std::thread watcher([&] {
    while (!over) {
      if (!progress(packets) && !stopped.exchange(true)) video.stop();
      std::this_thread::sleep_for(kCheckEvery);
    }
  });
  const auto end_watching = [&] {
    over = true;
    watcher.join();
  };
  try {
    const media::PacketPtr packet = media::make_packet();
    while (video.read(*packet)) {
      take(*packet);
      ++packets;
    }
  } catch (...) {
    end_watching();
    if (stopped) return false;
    throw;
  }
  end_watching();
  return true;
}

}  // namespace vsr::assemble
