// The one exception type of the project. Every door to a third-party library turns that library's
// failures into it at once; only main() turns its code into an exit status.
//
// A message is one line a user can act on: what, where (file, key, frame), what to do. It carries
// no "error:" prefix and no newline; context is added on the way up with add_context().
// Threads: an Error is a value; it may be moved to another thread through std::exception_ptr.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vsr {

// The numbers are the exit statuses of the program; frozen, since scripts rely on them.
enum class ErrorCode {
  kInternal = 1,       // a bug of ours
  kUsage = 2,          // command line or job file
  kInput = 3,          // the film
  kModel = 4,          // the checkpoint
  kGpu = 5,            // device, driver, memory
  kStorage = 6,        // run directory, disk
  kCluster = 7,        // ranks, hosts, MPI
  kInterrupted = 130,  // stopped by a signal; resumable
};

// "usage", "input", ... as it stands in messages.
std::string_view to_string(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code,
        const std::string& message,
        std::source_location where = std::source_location::current());

  ErrorCode code() const noexcept { return code_; }

  // Where in the source it was raised; for the log, not for the user.
  const std::source_location& where() const noexcept { return where_; }

  const char* what() const noexcept override { return text_.c_str(); }

  // Puts "context: " before the message, as in "segments/0042.mov.part: no space left".
  void add_context(std::string_view context);

 private:
  ErrorCode code_;
  std::source_location where_;
  std::string text_;
};

// The device (or the host, for a CPU device) has no room for what was asked. The pipeline answers
// it by a shorter window; everywhere else it is an Error like any other.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message,
                       std::source_location where = std::source_location::current())
      : Error(ErrorCode::kGpu, message, where) {}
};

}  // namespace vsr
