#include "stop_flag.hpp"

#include <signal.h>

namespace vsr::launcher {

namespace {

volatile sig_atomic_t caught = 0;

void set_handler(void (*handler)(int)) {
  struct sigaction action {};

  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

StopFlag::StopFlag() {
  caught = 0;
  set_handler([](int signal) { caught = signal; });
}

StopFlag::~StopFlag() { set_handler(SIG_DFL); }

bool StopFlag::is_set() const { return caught != 0; }

int StopFlag::exit_status() const { return caught == SIGTERM ? 143 : 130; }

}  // namespace vsr::launcher
