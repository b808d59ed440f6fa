// The project's log: one event, one line, with time, level, rank, host and room.
// Libraries never print; rooms log here; only the launcher chooses sinks.
// Threads: every function may be called from any thread.
#pragma once

#include "vsr/base/format.hpp"

#include <functional>
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
  // Takes what would go to stderr: whole lines, each with its newline. Empty: stderr itself, a
  // line in one piece, so that lines of several processes do not run into each other.
  std::function<void(std::string_view line)> terminal_writer;
  bool colour = false;  // of terminal lines
  // Hears of every message from kWarning up, whether or not a sink takes it.
  std::function<void(Level level, std::string_view room, std::string_view text)> observer;
};

// Whether lines to this descriptor may be coloured: it is a terminal, and neither NO_COLOR nor
// TERM=dumb says otherwise.
bool may_colour(int descriptor);

// Replaces the sinks; functions of the settings are called by any thread, one line at a time, and
// may not log. Before the first call everything from kWarning up goes to stderr.
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
