// The status server: a page, its data and metrics over HTTP. Told in docs/status.md.
//
// It reads a run and never touches it: all it knows comes through the functions in Content, which
// its one thread calls (never two at once). What clients do cannot slow the run: everything is
// bounded (connections, bytes, time, rate), and the thread runs at a low priority.
#pragma once

#include "vsr/status/run_status.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vsr::status {

struct Content {
  std::function<RunStatus()> snapshot;  // quick: it is called every second
  // A JPEG file, or nothing. `segment` -1: the latest of all; `kind`: "before", "after",
  // "detail-before", "detail-after", or with "worst-" before it ("worst-after").
  std::function<std::optional<std::string>(int segment, const std::string& kind)> preview;
};

struct ServerOptions {
  std::string listen = "127.0.0.1:8080";  // ADDRESS:PORT, "[::1]:8080"; port 0: any free one
  std::string token;  // asked of every client; may be empty on loopback addresses only
};

class Server {
 public:
  // Serves from now on. Throws Error(kUsage) for an address that is none, or that is not loopback
  // without a token; Error(kStorage) for one that cannot be had.
  Server(const ServerOptions& options, Content content);
  // Ends every connection; within a second.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "http://127.0.0.1:8080/", with the port that it got.
  const std::string& url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::status
