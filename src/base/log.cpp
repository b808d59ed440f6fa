#include "vsr/base/log.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/printable.hpp"
#include "vsr/base/terminal_writer.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace vsr::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kTrace:
      return spdlog::level::trace;
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

// What stands in a line after time, level, rank and host.
std::string event_text(std::string_view room, std::string_view text, bool json) {
  if (!json) return format("{}: {}", room, printable(text));
  return format(R"("room":"{}","text":"{}")", json_escaped(room), json_escaped(text));
}

struct State {
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;
  std::function<void(Level, std::string_view, std::string_view)> observer;
};

// What people look at. A line is handed on whole: spdlog's own sink writes a coloured one in parts,
// between which other processes of the terminal get their say.
class TerminalSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  TerminalSink(std::function<void(std::string_view)> writer, bool colour)
      : writer_(writer ? std::move(writer) : write_to_stderr), colour_(colour) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const std::string_view text(line.data(), line.size());
    if (!colour_ || message.color_range_end <= message.color_range_start) return writer_(text);
    std::string coloured(text.substr(0, message.color_range_start));
    coloured += code_of(message.level);
    coloured +=
        text.substr(message.color_range_start, message.color_range_end - message.color_range_start);
    coloured += "\x1b[0m";
    coloured += text.substr(message.color_range_end);
    writer_(coloured);
  }

  void flush_() override {}

 private:
  static std::string_view code_of(spdlog::level::level_enum level) {
    if (level >= spdlog::level::err) return "\x1b[31;1m";
    if (level == spdlog::level::warn) return "\x1b[33;1m";
    if (level == spdlog::level::info) return "\x1b[32m";
    return "\x1b[36m";
  }

  const std::function<void(std::string_view)> writer_;
  const bool colour_;
};

std::shared_ptr<spdlog::logger> make_logger(const Settings& settings) {
  std::vector<spdlog::sink_ptr> sinks;
  const bool colour = settings.terminal_writer ? settings.colour : may_colour(STDERR_FILENO);
  auto terminal =
      std::make_shared<TerminalSink>(settings.terminal_writer, colour && !settings.json);
  terminal->set_level(to_spdlog(settings.terminal));
  sinks.push_back(terminal);
  if (!settings.path.empty()) {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.path);
    file->set_level(to_spdlog(settings.file));
    sinks.push_back(file);
  }
  auto logger = std::make_shared<spdlog::logger>("vsr-dist", sinks.begin(), sinks.end());
  const Level least =
      settings.path.empty() ? settings.terminal : std::min(settings.terminal, settings.file);
  logger->set_level(to_spdlog(least));
  logger->flush_on(spdlog::level::info);
  // A full disk fails every line: it is said once, and not in the library's words.
  logger->set_error_handler(
      [terminal, json = settings.json, said = std::make_shared<std::atomic<bool>>(false)](
          const std::string& reason) {
        if (said->exchange(true) || !terminal->should_log(spdlog::level::warn)) return;
        const std::string text = "the log goes on without what cannot be written: " + reason;
        terminal->log({"vsr-dist", spdlog::level::warn, event_text("base", text, json)});
      });
  const std::string host = host_name();
  if (settings.json) {
    logger->set_pattern(
        format(R"({{"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","rank":{},"host":"{}",%v}})",
               settings.rank,
               json_escaped(host)));
  } else {
    terminal->set_pattern(format("%H:%M:%S %^%-7l%$ [{}] %v", settings.rank));
    for (std::size_t i = 1; i < sinks.size(); ++i) {
      sinks[i]->set_pattern(
          format("%Y-%m-%d %H:%M:%S.%e %-7l rank={} host={} %v", settings.rank, host));
    }
  }
  return logger;
}

// Guards replacement only: spdlog's sinks lock themselves. What std::atomic<std::shared_ptr> would
// be, which the library of g++ 11 does not have.
class CurrentState {
 public:
  CurrentState() : state_(std::make_shared<State>()) {
    state_->logger = make_logger({.terminal = Level::kWarning});
  }

  std::shared_ptr<State> load() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  void store(std::shared_ptr<State> next) {
    const std::lock_guard lock(mutex_);
    state_.swap(next);  // the old one goes after the lock
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<State> state_;
};

CurrentState& state() {
  static CurrentState instance;
  return instance;
}

}  // namespace

bool may_colour(int descriptor) {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return ::isatty(descriptor) == 1 && !dumb && (no_colour == nullptr || *no_colour == '\0');
}

void configure(const Settings& settings) {
  auto next = std::make_shared<State>();
  next->json = settings.json;
  next->observer = settings.observer;
  try {
    next->logger = make_logger(settings);
  } catch (const spdlog::spdlog_ex& failure) {
    throw Error(ErrorCode::kStorage,
                format("{}: the log file cannot be opened ({})", settings.path, failure.what()));
  }
  state().store(next);
}

bool enabled(Level level) noexcept {
  try {
    const auto current = state().load();
    if (current->observer && level >= Level::kWarning && level != Level::kOff) return true;
    return current->logger->should_log(to_spdlog(level));
  } catch (...) {
    return false;
  }
}

void write(Level level, std::string_view room, std::string_view text) noexcept {
  try {
    const auto current = state().load();
    current->logger->log(to_spdlog(level),
                         spdlog::string_view_t(event_text(room, text, current->json)));
    if (current->observer && level >= Level::kWarning) current->observer(level, room, text);
  } catch (...) {  // a log that fails must not take the film with it
  }
}

void flush() noexcept {
  try {
    state().load()->logger->flush();
  } catch (...) {  // as in write
  }
}

}  // namespace vsr::log
