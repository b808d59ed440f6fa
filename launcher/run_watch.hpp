// Tells how a run is while it is at work: on a terminal or in lines of the log, in its status file,
// on its status page. Of rank 0.
#pragma once

#include "arguments.hpp"
#include "open_run.hpp"
#include "rank_teller.hpp"
#include "run_terminal.hpp"
#include "status_board.hpp"
#include "vsr/status/live_block.hpp"
#include "vsr/status/run_status.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace vsr::launcher {

// What a run's status begins as.
RunFacts facts_of(const Lead& lead);

// Threads: any; one of its own looks, draws and writes.
class RunWatch {
 public:
  // `terminal` and its `block` may be null: then a line of the log tells it every
  // `arguments.progress_every_s` seconds, as long as anything moves; so too while the terminal is
  // not in the foreground. All have to outlive it.
  RunWatch(const Arguments& arguments,
           const Lead& lead,
           RankTeller& own,
           const Terminal* terminal,
           std::shared_ptr<status::LiveBlock> block);
  // Ends the block; the status file keeps what was told last.
  ~RunWatch();
  RunWatch(const RunWatch&) = delete;
  RunWatch& operator=(const RunWatch&) = delete;

  // Lives as long as anybody has it: the log's observer may be late.
  const std::shared_ptr<StatusBoard>& board() const { return board_; }

  // It is over; draws nothing from now on.
  void end(const std::string& state, const std::string& message);

 private:
  using Clock = std::chrono::steady_clock;

  // When what is done now and then was done last.
  struct Times {
    Clock::time_point tick{};
    Clock::time_point file{};
    Clock::time_point disk{};
    Clock::time_point line = Clock::now();
  };

  void work();
  void look(Times& times);
  void write_status_file();
  void draw();
  void say();

  const Lead& lead_;
  const std::string line_mode_;
  const double line_every_s_;
  const bool logs_lines_;           // on the terminal, at the log's level
  const Terminal* const terminal_;  // of the block
  const std::shared_ptr<status::LiveBlock> block_;
  const bool colour_;
  const std::shared_ptr<StatusBoard> board_;
  // Of the own thread:
  status::RunStatus said_;
  bool file_failed_ = false;
  std::mutex mutex_;
  std::condition_variable over_changed_;
  bool over_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace vsr::launcher
