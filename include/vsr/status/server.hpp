// The status server: a page, its data and metrics over HTTP. Told in docs/status.md.
//
// It reads a run and never touches it: all it knows comes through the functions in Content, which
// its one thread calls (never two at once). What clients can cost the run is bounded: connections,
// bytes, time and rate have limits, and the thread runs at a low priority. It does take what time
// of a processor and of the run's locks a snapshot a second and the pictures asked for need.
#pragma once

#include "vsr/status/run_status.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vsr::status {

struct Limits;

// Either function may throw: the client then has a 503, the run does not notice.
struct Content {
  // Quick. Called at most once a second, and only while somebody asks; and once more at the end,
  // by ~Server(), for those who watch.
  std::function<RunStatus()> snapshot;
  // A JPEG file, or nothing. `segment` -1: the latest of all; `kind`: "before", "after",
  // "detail-before", "detail-after", or with "worst-" before it ("worst-after"). No others are
  // asked for. The latest of all is asked for as "after".
  std::function<std::optional<std::string>(int segment, const std::string& kind)> preview;
};

struct ServerOptions {
  std::string listen = "127.0.0.1:8080";  // ADDRESS:PORT, "[::1]:8080"; port 0: any free one
  // Asked of every client. May be empty on loopback addresses only; for others it has 16 characters
  // at least. Visible ASCII characters.
  std::string token;
};

class Server {
 public:
  // Serves from now on. Throws Error(kUsage) for an address that is none, or that is not loopback
  // without a token; Error(kStorage) for one that cannot be had.
  Server(const ServerOptions& options, Content content);
  // For tests.
  Server(const ServerOptions& options, Content content, const Limits& limits);
  // Sends those who watch how the run ended, and ends every connection; within a second.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "http://127.0.0.1:8080/", with the port that it got; where it listens on all addresses, with
  // this host's name.
  const std::string& url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::status
