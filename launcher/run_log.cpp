#include "run_log.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/printable.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace vsr::launcher {

log::Settings log_settings(const Arguments& arguments,
                           const store::RunDirectory& directory,
                           int rank,
                           const std::string& job_name) {
  return {.terminal =
              rank == 0 ? arguments.log_level : std::max(arguments.log_level, log::Level::kWarning),
          .file = log::Level::kDebug,
          .path = directory.log_file(rank, job_name).string(),
          .rank = rank,
          .json = arguments.log_json};
}

const char* name_of(log::Level level) {
  return level == log::Level::kWarning ? "warning" : "error";
}

LogMeanwhile::LogMeanwhile(log::Settings usual, const log::Settings& now)
    : usual_(std::move(usual)) {
  log::configure(now);
}

LogMeanwhile::~LogMeanwhile() {
  try {
    log::configure(usual_);
  } catch (const std::exception&) {  // the file cannot be opened any more
    // Not as it is now: what that writes to is about to go.
    usual_.path.clear();
    usual_.file = log::Level::kOff;
    try {
      log::configure(usual_);
    } catch (const std::exception&) {  // nothing is left to try
    }
  }
}

log::Settings settings_beside(const std::shared_ptr<status::LiveBlock>& block,
                              const std::shared_ptr<StatusBoard>& board,
                              const RunBook::NoteTaker& note,
                              const Arguments& arguments,
                              log::Settings settings) {
  settings.observer = [board, note](
                          log::Level level, std::string_view room, std::string_view text) {
    const status::Notice notice{utc_now(), name_of(level), 0, format("{}: {}", room, text)};
    board->notice(notice);
    note(notice);
  };
  board->on_notice([block, note](const status::Notice& notice) {
    note(notice);
    if (!block) return;
    const std::string time = notice.time.size() > 19 ? notice.time.substr(11, 8) : notice.time;
    block->print(
        format("{} {} [{}] {}\n", time, notice.level, notice.rank, printable(notice.text)));
  });
  if (!block) return settings;
  if (!arguments.log_level_given) settings.terminal = log::Level::kWarning;
  settings.colour = log::may_colour(block->descriptor());
  settings.terminal_writer = [block](std::string_view line) { block->print(line); };
  return settings;
}

}  // namespace vsr::launcher
