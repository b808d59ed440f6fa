#include "space.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace vsr::launcher {

namespace {

constexpr auto kTellEvery = std::chrono::minutes(5);
constexpr auto kProbeEvery = std::chrono::seconds(5);
constexpr std::size_t kProbeBytes = std::size_t{1} << 20;
constexpr double kGrowth = 1.5;
constexpr double kMostFactor = 4;

}  // namespace

Space::Space(std::filesystem::path folder, double keep_free)
    : folder_(std::move(folder)), keep_free_(keep_free) {}

bool Space::begin(const std::string& name, double bytes) {
  if (full_ && Clock::now() < next_probe_) return false;
  double wanted = keep_free_ + bytes * factor_;
  for (const auto& [other, its_bytes] : begun_) {
    if (other != name) wanted += its_bytes;
  }
  const auto free = static_cast<double>(free_bytes(folder_));
  if (free < wanted || (full_ && !probe())) {
    next_probe_ = Clock::now() + kProbeEvery;
    tell(name, wanted, free);
    return false;
  }
  full_ = false;
  if (std::exchange(waiting_, false)) {
    log::info("store", "{} has {} free: the run goes on", folder_.string(), size_text(free));
  }
  begun_[name] = bytes * factor_;
  return true;
}

void Space::over(const std::string& name, bool full) {
  begun_.erase(name);
  if (!full) return;
  full_ = true;
  factor_ = std::min(kMostFactor, factor_ * kGrowth);
  next_probe_ = Clock::now() + kProbeEvery;
}

bool Space::wait_for(const std::string& name,
                     double bytes,
                     const std::atomic<int>& stop,
                     const std::function<void()>& waits) {
  while (!begin(name, bytes)) {
    waits();
    if (stop.load() != 0) return false;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return true;
}

bool Space::probe() const {
  const std::filesystem::path file = folder_ / format("room-{}", ::getpid());
  bool room = true;
  try {
    write_file(file, std::string(kProbeBytes, 'r'));
  } catch (const Error&) {
    room = false;
  }
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  std::filesystem::remove(part_name(file), ignored);
  return room;
}

void Space::tell(const std::string& name, double bytes, double free) {
  const auto now = Clock::now();
  if (waiting_ && now - told_ < kTellEvery) return;
  waiting_ = true;
  told_ = now;
  log::warning("store",
               "paused before {}: {} has {} free, and with what is begun {} are wanted{}; make "
               "room, and the run goes on by itself",
               name,
               folder_.string(),
               size_text(free),
               size_text(bytes),
               full_ ? " (and a quota may be used up)" : "");
}

}  // namespace vsr::launcher
