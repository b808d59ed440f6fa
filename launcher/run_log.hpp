// The log of a rank of a run: its file in the run directory, and what it says beside a live block.
#pragma once

#include "arguments.hpp"
#include "run_book.hpp"
#include "status_board.hpp"
#include "vsr/base/log.hpp"
#include "vsr/status/live_block.hpp"
#include "vsr/store/run_directory.hpp"

#include <memory>
#include <string>

namespace vsr::launcher {

// Rank 0 says what was asked for on the terminal, the others warnings at least; the file has all.
log::Settings log_settings(const Arguments& arguments,
                           const store::RunDirectory& directory,
                           int rank,
                           const std::string& job_name);

// "warning", "error": of what is told to others.
const char* name_of(log::Level level);

// The log with other settings, for as long as this lives.
class LogMeanwhile {
 public:
  LogMeanwhile(log::Settings usual, const log::Settings& now);
  ~LogMeanwhile();
  LogMeanwhile(const LogMeanwhile&) = delete;
  LogMeanwhile& operator=(const LogMeanwhile&) = delete;

 private:
  log::Settings usual_;
};

// Rank 0's while the run is watched. Beside a live block (null: there is none) the log keeps to
// warnings, unless somebody asked for more; the other ranks' come here. Warnings of all ranks go
// into the run's book.
log::Settings settings_beside(const std::shared_ptr<status::LiveBlock>& block,
                              const std::shared_ptr<StatusBoard>& board,
                              const RunBook::NoteTaker& note,
                              const Arguments& arguments,
                              log::Settings settings);

}  // namespace vsr::launcher
