// RUN/starts/NAME.json: one invocation of the program on a run, as its rank 0 tells it at its
// begin, now and then while it goes on, and at its end. What it says is for people and reports;
// nothing is decided by it. docs/ledger.md, "Starts".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vsr::store {

inline constexpr int kStartVersion = 1;
// Of what an event or the end of a start says; more than that nobody reads.
inline constexpr std::size_t kMostEventBytes = 4096;

struct StartRank {
  int rank = 0;
  std::string host;
  std::string gpu;  // empty: none
  int cpus = 0;
  std::int64_t memory_bytes = 0;  // of the host, its part
  bool encodes_only = false;

  bool operator==(const StartRank&) const = default;
};

struct StartEvent {
  std::string time;   // UTC, ISO 8601
  std::string level;  // "warning", "error"
  int rank = 0;
  std::string text;

  bool operator==(const StartEvent&) const = default;
};

struct StartFile {
  std::vector<std::string> command;   // of rank 0, a word each, without secrets
  std::vector<std::string> launcher;  // mpirun's, where it could be seen
  std::string directory;              // the current one
  std::string program_version;
  std::vector<std::string> versions;  // a line a library
  std::string host;
  std::int64_t pid = 0;
  std::string job_name;  // of several that share the run; empty: the first
  std::string begun;     // UTC, ISO 8601
  std::string seen;      // when this was written
  std::string ended;     // empty: at work, or killed
  int exit_status = -1;  // -1: not ended
  std::string message;   // why it failed; empty: it did not
  std::vector<StartRank> ranks;
  std::vector<StartEvent> events;
  std::int64_t events_left_out = 0;  // beyond what is kept

  bool operator==(const StartFile&) const = default;
};

// A JSON document.
std::string encode_start_file(const StartFile& start);
// Texts longer than kMostEventBytes come back cut. Throws Error(kStorage) for what
// encode_start_file() did not write.
StartFile decode_start_file(const std::string& json);

// `text`, or as much of its begin as kMostEventBytes hold; no character of UTF-8 is cut in two.
std::string cut_event(std::string text);

// These words without what should stay secret. Where one speaks of a token, password or secret, be
// it a key or the name of a variable, what follows the next = is hidden (--KEY=VALUE, NAME=VALUE,
// --export=ALL,NAME=VALUE), or the next word (--KEY VALUE, -genv NAME VALUE); and so is what stands
// before the @ of an address.
std::vector<std::string> without_secrets(std::vector<std::string> words);
// Whether a key of this name has a value that nobody should see.
bool is_secret_key(const std::string& name);

}  // namespace vsr::store
