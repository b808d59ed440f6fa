// What several tests need.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vsr::test {

// A fresh folder, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::filesystem::path source_dir();
std::filesystem::path build_dir();

// The shared reference data beside the checkout (VSR_SHARED_DIR, else ../shared), or nothing when
// it is not there; a test that needs it then skips with the reason.
std::optional<std::filesystem::path> shared_dir();

// What this process has had of the processor so far, all threads together.
struct ProcessorTime {
  double user_s = 0;
  double system_s = 0;

  ProcessorTime operator-(const ProcessorTime& earlier) const {
    return {user_s - earlier.user_s, system_s - earlier.system_s};
  }
};

ProcessorTime processor_time();

// Runs a program by its argument list (no shell). Output is stdout and stderr together.
struct ProcessResult {
  int status = 0;  // exit status; 128 + n when signal n ended it
  std::string output;
};

ProcessResult run_process(const std::vector<std::string>& arguments, int timeout_s = 100);

}  // namespace vsr::test
