#include "event_streams.hpp"

#include "vsr/base/log.hpp"

#include <exception>

namespace vsr::status {

void EventStreams::add(EventStream& stream) {
  if (Bytes event = site_.snapshots().event()) stream.pending = event;
  if (!waits_) wait();
  streams_.insert(&stream);  // last: a stream whose add() throws is not there any longer
}

// From one snapshot to the next, as long as anybody is there.
void EventStreams::wait() {
  timer_.expires_at(site_.snapshots().next());
  timer_.async_wait([this](const beast::error_code& error) {
    waits_ = false;
    if (error || streams_.empty()) return;
    try {
      tell_all();
    } catch (const std::exception& failure) {  // the next one may do
      log::debug("status", "an event: {}", failure.what());
    }
    wait();
  });
  waits_ = true;
}

void EventStreams::tell_all() {
  const Bytes event = site_.snapshots().event();
  if (!event || event == told_) return;
  told_ = event;
  for (EventStream* stream : streams_) stream->tell(event);
}

void EventStreams::finish() {
  timer_.cancel();
  if (streams_.empty()) return;
  site_.snapshots().forget();
  tell_all();
  for (EventStream* stream : streams_) {
    stream->last = true;
    stream->wake.cancel();
  }
}

}  // namespace vsr::status
