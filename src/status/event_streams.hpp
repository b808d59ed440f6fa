// Clients that follow a stream of events. Private; one thread.
#pragma once

#include "asio.hpp"
#include "site.hpp"

#include <set>

namespace vsr::status {

// One of them. A client that does not read has one event that waits for it, the latest.
struct EventStream {
  explicit EventStream(asio::io_context& io) : wake(io) {}

  void tell(const Bytes& event) {
    pending = event;
    wake.cancel();
  }

  asio::steady_timer wake;  // cancelled when there is something to do
  Bytes pending;
  bool last = false;  // behind what is pending comes nothing more
};

class EventStreams {
 public:
  EventStreams(asio::io_context& io, Site& site) : timer_(io), site_(site) {}

  // Between these two `stream` is told of every change.
  void add(EventStream& stream);

  void remove(EventStream& stream) { streams_.erase(&stream); }

  // Tells all of them how it is now, and that this was the last.
  void finish();

 private:
  void tell_all();
  void wait();

  asio::steady_timer timer_;
  Site& site_;
  std::set<EventStream*> streams_;
  Bytes told_;
  bool waits_ = false;
};

}  // namespace vsr::status
