// The project's log: one event, one line, with time, level, rank, host and room.
// Libraries never print; rooms log here; only the launcher chooses sinks.
// Threads: every function may be called from any thread.
#pragma once

#include "vsr/base/format.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace vsr::log {

enum class Level { kTrace, kDebug, kInfo, kWarning, kError, kOff };

struct Settings {
  Level terminal = Level::kInfo;  // what reaches stderr
  Level file = Level::kDebug;     // what reaches `path`
  std::string path;               // log file, appended to; empty: none
  int rank = 0;                   // stands in every line
  bool json = false;              // one JSON object a line, in both sinks
};

// Replaces the sinks. Before the first call everything from kWarning up goes to stderr.
// Throws Error(kStorage) if the file cannot be opened.
void configure(const Settings& settings);
// True when a message of this level reaches any sink; lets callers skip costly text.
bool enabled(Level level) noexcept;
// Never throws; a sink that fails is dropped silently.
void write(Level level, std::string_view room, std::string_view text) noexcept;
void flush() noexcept;

template <typename... Args>
void trace(std::string_view room, FormatString<Args...> text, Args&&... args) {
  if (enabled(Level::kTrace)) write(Level::kTrace, room, format(text, std::forward<Args>(args)...));
}

template <typename... Args>
void debug(std::string_view room, FormatString<Args...> text, Args&&... args) {
  if (enabled(Level::kDebug)) write(Level::kDebug, room, format(text, std::forward<Args>(args)...));
}

template <typename... Args>
void info(std::string_view room, FormatString<Args...> text, Args&&... args) {
  if (enabled(Level::kInfo)) write(Level::kInfo, room, format(text, std::forward<Args>(args)...));
}

template <typename... Args>
void warning(std::string_view room, FormatString<Args...> text, Args&&... args) {
  if (enabled(Level::kWarning)) {
    write(Level::kWarning, room, format(text, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void error(std::string_view room, FormatString<Args...> text, Args&&... args) {
  if (enabled(Level::kError)) write(Level::kError, room, format(text, std::forward<Args>(args)...));
}

}  // namespace vsr::log
