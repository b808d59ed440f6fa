// The status page of a run: where it is, who may see it, what it shows.
#pragma once

#include "status_board.hpp"
#include "vsr/job/job.hpp"
#include "vsr/status/server.hpp"
#include "vsr/store/run_directory.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace vsr::launcher {

// What is asked of everybody who wants to see the page: VSR_STATUS_TOKEN, which is taken out of the
// environment so that no child has it, or else the first line of status.token_file; empty: nothing.
// Throws Error(kUsage).
std::string take_token(const Job& job);

// "before", "after", "detail-before" or "detail-after" of it; nothing for a picture that it lacks.
std::optional<std::string> picture_of(const Preview& preview, std::string_view side);

// Threads: any.
class StatusPage {
 public:
  // Serves from now on, if the job wants that. A run must not end for the want of a page: where its
  // address is taken that is a warning, and for status.listen = auto another port is had. Throws
  // Error(kUsage) for an address that is none, or that others reach without a token.
  explicit StatusPage(const Job& job);

  // Says why there is no plan yet. How the run is then.
  status::RunStatus planning(const std::string& message);
  // What it tells of, once the run is open.
  void show(std::shared_ptr<StatusBoard> board, const store::RunDirectory& directory, int segments);

 private:
  struct Shown {
    std::shared_ptr<StatusBoard> board;
    store::RunDirectory directory;
    int segments = 0;
  };

  status::RunStatus status();
  std::optional<std::string> preview(int segment, const std::string& kind);
  std::shared_ptr<const Shown> shown();
  std::unique_ptr<status::Server> open(const std::string& listen, const std::string& token);

  std::mutex mutex_;
  // Guarded by mutex_.
  status::RunStatus planning_;
  std::shared_ptr<const Shown> shown_;
  std::unique_ptr<status::Server> server_;
};

}  // namespace vsr::launcher
