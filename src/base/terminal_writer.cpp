#include "vsr/base/terminal_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <exception>

namespace vsr {

int open_terminal(const std::string& path) {
  // Never to be this process's own: a hang-up there is none of its business.
  return ::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

bool TerminalWriter::write(std::string_view bytes, std::chrono::milliseconds patience) {
  if (!finish(patience)) return false;
  rest_ = bytes;
  finish(patience);
  return true;
}

bool TerminalWriter::finish(std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  if (stuck_) patience = {};
  const Clock::time_point deadline = Clock::now() + patience;
  while (!rest_.empty()) {
    const ssize_t written = ::write(descriptor_, rest_.data(), rest_.size());
    if (written > 0) {
      rest_.erase(0, static_cast<std::size_t>(written));
      stuck_ = false;
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno != EAGAIN) {  // the terminal is gone
      rest_.clear();
      break;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      stuck_ = stuck_ || patience.count() > 0;
      return false;
    }
    pollfd room{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, static_cast<int>(left.count()));
  }
  return true;
}

void write_to_stderr(std::string_view text) noexcept {
  constexpr std::chrono::milliseconds kPatience{200};
  static std::atomic<bool> stuck = false;
  try {
    const int terminal = ::isatty(STDERR_FILENO) == 1 ? open_terminal("/proc/self/fd/2") : -1;
    if (terminal >= 0) {
      TerminalWriter writer(terminal);
      writer.write(text, stuck ? std::chrono::milliseconds{} : kPatience);
      stuck = !writer.finish({});
      ::close(terminal);
      return;
    }
  } catch (const std::exception&) {  // as it is, then
  }
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;  // there is nobody to tell
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace vsr
