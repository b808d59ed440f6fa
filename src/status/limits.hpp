// What a client may take of the status server, all of it in one place. Told in docs/status.md.
// Private; tests shorten the times.
#pragma once

#include <chrono>
#include <cstddef>

namespace vsr::status {

struct Limits {
  using Time = std::chrono::milliseconds;

  int connections = 256;
  int connections_of_address = 128;  // so that one client cannot keep the others out
  std::size_t header_bytes = 8192;   // request line and fields; more: 431. No bodies at all: 413
  Time request{10'000};        // from the first byte (of a new connection: from its beginning)
                               // until the request is whole; late: closed
  Time idle{30'000};           // a connection between two requests
  Time stalled{30'000};        // an answer of which the client takes nothing
  Time answer{120'000};        // an answer as a whole; not a stream of events
  double requests_per_s = 50;  // of one address, or of one /64 of IPv6; more: 429
  double requests_at_once = 400;
  double requests_of_all_per_s = 500;  // of all together; more: 429
  double requests_of_all_at_once = 2000;
  double connections_per_s = 200;  // new ones; more wait in the kernel's queue
  double connections_at_once = 512;
  std::size_t held_bytes = std::size_t{64} << 20;  // answers on their way, of all clients together
  int send_buffer =
      128 << 10;           // the kernel's, of a connection, bytes; it makes twice as many of it
  Time snapshot{1'000};    // one is taken no more often, and a stream has an event no more often
  Time heartbeat{15'000};  // a stream without events has a comment, so that proxies keep it
  Time farewell{500};      // for the last event and answers on their way, when the server ends
};

}  // namespace vsr::status
