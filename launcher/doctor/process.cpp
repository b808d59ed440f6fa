#include "doctor/checks.hpp"
#include "vsr/base/format.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace vsr::launcher::doctor {

namespace {

constexpr std::size_t kMostOutput_bytes = 64 << 10;
constexpr int kLook_ms = 20;

// A process group of its own, so that a time limit ends the program's children too; signals as they
// are by default, since ours are blocked or ignored (signals.hpp).
pid_t start(const std::vector<std::string>& arguments, int output) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t set;
  sigemptyset(&set);
  posix_spawnattr_setsigmask(&attributes, &set);
  sigfillset(&set);
  posix_spawnattr_setsigdefault(&attributes, &set);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int error = posix_spawnp(&child, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error == 0 ? child : -error;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& arguments,
                          double timeout_s,
                          const std::atomic<int>& stop) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
  std::array<int, 2> ends{};
  const bool piped = pipe2(ends.data(), O_CLOEXEC) == 0;
  const pid_t child = piped ? start(arguments, ends[1]) : -errno;
  if (piped) close(ends[1]);
  if (child < 0) {
    if (piped) close(ends[0]);
    throw Error(ErrorCode::kCluster,
                arguments.front() + " cannot be started: " + std::strerror(-child));
  }
  ProcessResult result;
  int status = 0;
  // Until it has ended and closed its output; it may do one without the other.
  for (bool ended = false, closed = false; !ended || !closed;) {
    result.late = std::chrono::steady_clock::now() > deadline;
    if (result.late || stop.load() != 0) {
      kill(-child, SIGKILL);
      if (!ended) waitpid(child, &status, 0);
      break;
    }
    if (!ended) ended = waitpid(child, &status, WNOHANG) == child;
    pollfd waiting{.fd = closed ? -1 : ends[0], .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, kLook_ms) <= 0) continue;
    std::array<char, 4096> buffer{};
    const ssize_t got = read(ends[0], buffer.data(), buffer.size());
    closed = got <= 0;
    const std::size_t room = kMostOutput_bytes - result.output.size();
    if (!closed) result.output.append(buffer.data(), std::min<std::size_t>(room, got));
  }
  close(ends[0]);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (stop.load() != 0) throw Error(ErrorCode::kInterrupted, "stopped");
  return result;
}

}  // namespace vsr::launcher::doctor
