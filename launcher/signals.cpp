#include "signals.hpp"

#include "vsr/base/log.hpp"
#include "vsr/cluster/cluster.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <system_error>
#include <thread>

namespace vsr::launcher {

namespace {

constexpr auto kGrace = std::chrono::seconds(3);
constexpr auto kFlush = std::chrono::milliseconds(200);

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1);
  return set;
}

// On threads of their own, before anything is said: a disk or a reader that hangs holds whoever
// logs.
void end_in_time(int status) {
  try {
    std::thread([status] {
      std::this_thread::sleep_for(kGrace);
      try {
        std::thread([] { log::flush(); }).detach();
        std::this_thread::sleep_for(kFlush);
      } catch (const std::system_error&) {  // no thread to be had
      }
      _exit(status);
    }).detach();
  } catch (const std::system_error&) {
    _exit(status);
  }
}

}  // namespace

Signals::Signals() {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A pipe whose reader went away (`| head`) is a write error, not the end of a night's work.
  signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { wait_for_signals(); });
}

Signals::~Signals() {
  over_ = true;
  thread_.join();
}

void Signals::wait_for_signals() {
  const sigset_t set = handled_signals();
  while (!over_) {
    const timespec tick{0, 100'000'000};
    const int number = sigtimedwait(&set, nullptr, &tick);
    if (number > 0) {
      // SIGUSR1 asks for what the first SIGINT does, however often it comes: it is the one of them
      // that mpirun hands on to its ranks.
      status_ = number == SIGTERM ? 143 : 130;
      const bool now = number == SIGTERM || (number == SIGINT && stop_.load() >= 1);
      const auto level = now ? cluster::Stop::kNow : cluster::Stop::kAfterSegment;
      if (static_cast<int>(level) > stop_.load()) {
        stop_ = static_cast<int>(level);
        if (now) end_in_time(status_.load());
        log::warning(
            "launcher",
            "{}",
            now ? "stopping now; what is committed is kept, the same command goes on"
                : "stopping; a segment that is begun is finished first, once more to stop now");
      }
    }
  }
}

}  // namespace vsr::launcher
