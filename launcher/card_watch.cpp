#include "card_watch.hpp"

#include "vsr/base/log.hpp"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <utility>

namespace vsr::launcher {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kReadEvery = std::chrono::milliseconds(500);
constexpr auto kOld = std::chrono::seconds(10);
constexpr auto kFarewell = std::chrono::seconds(1);

}  // namespace

// The thread's too, which may outlive the watch.
struct CardWatch::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  gpu::CardReading reading;
  Clock::time_point read_at;
  bool over = false;
  bool ended = false;

  void work(const std::function<gpu::CardReading()>& read) {
    std::unique_lock lock(mutex);
    while (!over) {
      lock.unlock();
      gpu::CardReading now;
      try {
        now = read();
      } catch (const std::exception& error) {
        log::debug("gpu", "{}", error.what());
      }
      lock.lock();
      reading = now;
      read_at = Clock::now();
      changed.wait_for(lock, kReadEvery, [this] { return over; });
    }
    ended = true;
    changed.notify_all();
  }
};

// The library is opened on the thread, for that may hang too.
CardWatch::CardWatch(const std::string& card)
    : CardWatch([card, monitor = std::shared_ptr<gpu::CardMonitor>()]() mutable {
        if (!monitor) monitor = std::make_shared<gpu::CardMonitor>(card);
        return monitor->read();
      }) {}

CardWatch::CardWatch(std::function<gpu::CardReading()> read) : shared_(std::make_shared<Shared>()) {
  try {
    thread_ = std::thread([shared = shared_, read = std::move(read)] { shared->work(read); });
  } catch (const std::system_error& error) {
    log::debug("gpu", "load and memory are not known: {}", error.what());
  }
}

CardWatch::~CardWatch() {
  if (!thread_.joinable()) return;
  std::unique_lock lock(shared_->mutex);
  shared_->over = true;
  shared_->changed.notify_all();
  const bool ended = shared_->changed.wait_for(lock, kFarewell, [this] { return shared_->ended; });
  lock.unlock();
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

gpu::CardReading CardWatch::now() const {
  const std::lock_guard lock(shared_->mutex);
  return Clock::now() - shared_->read_at < kOld ? shared_->reading : gpu::CardReading{};
}

}  // namespace vsr::launcher
