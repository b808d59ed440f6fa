// The files that leases are made of: one line of text each, made at once or not at all. What they
// mean is told in leases.cpp.
#pragma once

#include "process.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace vsr::store {

// vsr-dist lease 1 OWNER HOST PID START PLACE ID COUNTER
struct LeaseLine {
  std::string owner;
  std::string host;
  Process process;
  std::string id;             // 16 random hex digits: this lease of all that ever were
  std::uint64_t counter = 0;  // of renewals; always 20 digits, at the end of the line
};

std::string print_lease(const LeaseLine& line);
// Nothing for what print_lease does not make.
std::optional<LeaseLine> parse_lease(const std::string& content);
// Whether it may stand in a line: 1 to 200 letters, digits, '.', '-', '_', ':'.
bool is_lease_word(const std::string& text);
std::string random_id();

// What is seen of a file when one looks.
struct LeaseState {
  std::string content;        // its first KiB
  std::int64_t mtime_ns = 0;  // by whatever clock; only ever compared to itself
  std::optional<LeaseLine> line;

  bool operator==(const LeaseState& other) const {
    return content == other.content && mtime_ns == other.mtime_ns;
  }

  bool is(const LeaseLine& other) const { return line && line->id == other.id; }
};

// All throw Error(kStorage).

// Nothing if there is no such file.
std::optional<LeaseState> read_lease(const std::filesystem::path& path);
// Makes `path` with this line, unless a file is there: then false. May also say false of a file
// that it made (a server's lost answer), which has the line's id. `hard_links` becomes false where
// there turn out to be none; the file is then empty for an instant.
bool create_lease(const std::filesystem::path& path, const LeaseLine& line, bool& hard_links);
// Writes the counter into the file at `path` if that is the one with the line's id, else returns
// false and changes nothing.
bool renew_lease(const std::filesystem::path& path, const LeaseLine& line);
// Says whether it did; false when `from` is not there (any more).
bool rename_lease(const std::filesystem::path& from, const std::filesystem::path& to);
// Not being there is fine.
void remove_lease(const std::filesystem::path& path);

}  // namespace vsr::store
