#include "connection.hpp"

#include <boost/asio/buffer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

namespace vsr::status {

namespace {

// What a request that cannot be read is answered; unknown: nothing, the client is gone.
http::status status_of(const beast::error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return http::status::request_header_fields_too_large;
  }
  if (error == http::error::body_limit) return http::status::payload_too_large;
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return http::status::unknown;
  }
  const bool of_http = error.category() == make_error_code(http::error::bad_method).category();
  return of_http ? http::status::bad_request : http::status::unknown;
}

class Followed {
 public:
  Followed(EventStreams& streams, EventStream& stream) : streams_(streams), stream_(stream) {
    streams_.add(stream_);
  }

  ~Followed() { streams_.remove(stream_); }

  Followed(const Followed&) = delete;
  Followed& operator=(const Followed&) = delete;

 private:
  EventStreams& streams_;
  EventStream& stream_;
};

}  // namespace

Connection::Connection(tcp::socket socket,
                       std::string address,
                       asio::io_context& io,
                       Site& site,
                       EventStreams& streams,
                       const Limits& limits)
    : stream_(std::move(socket)),
      buffer_(2 * limits.header_bytes),  // a request and the beginning of the next
      address_(std::move(address)),
      io_(io),
      site_(site),
      streams_(streams),
      limits_(limits) {
  quietly([&] {
    stream_.socket().set_option(tcp::socket::send_buffer_size(limits.send_buffer));
    stream_.socket().set_option(tcp::no_delay(true));
  });
}

void Connection::close() noexcept { stream_.close(); }

void Connection::finish() {
  finishes_ = true;
  if (!answers_) close();
}

asio::awaitable<void> Connection::serve() {
  for (;;) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
    parser.body_limit(0);
    const bool has_read = co_await read(parser);
    answers_ = true;
    if (!has_read) {
      if (bad_ == http::status::unknown) co_return;
      const Answer answer = refusal(bad_, standard(http::obsolete_reason(bad_)));
      const Request unread{http::verb::get, "/", 11};
      co_await send(answer, unread, false);
      co_await linger();
      co_return;
    }
    const Request& request = parser.get();
    Answer answer = refusal(http::status::internal_server_error, "a bug of the status server");
    try {
      answer = site_.answer(request, address_);
    } catch (const std::exception&) {  // told to the client
    }
    const bool keep_alive = request.keep_alive() && !answer.events;
    const bool sent = co_await send(answer, request, keep_alive);
    if (!sent) co_return;
    if (answer.events && request.method() != http::verb::head) {
      co_await send_events();
    }
    answers_ = false;
    if (!keep_alive || finishes_) {
      co_await linger();
      co_return;
    }
  }
}

asio::awaitable<bool> Connection::read(Parser& parser) {
  beast::error_code error;
  bad_ = http::status::unknown;
  if (!std::exchange(is_new_, false) && buffer_.size() == 0) {
    stream_.expires_after(limits_.idle);
    const auto room = buffer_.prepare(limits_.header_bytes);
    const std::size_t size = co_await stream_.async_read_some(room, into(error));
    if (error) co_return false;
    buffer_.commit(size);
  }
  stream_.expires_after(limits_.request);
  co_await http::async_read_header(stream_, buffer_, parser, into(error));
  if (error) bad_ = status_of(error);
  if (!error && parser.chunked()) bad_ = http::status::payload_too_large;
  co_return bad_ == http::status::unknown && !error;
}

asio::awaitable<bool> Connection::send(const Answer& answer,
                                       const Request& request,
                                       bool keep_alive) {
  using Body = http::span_body<const char>;
  http::response<Body> response{answer.status, request.version()};
  response.keep_alive(keep_alive);
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  for (const auto& [name, value] : answer.fields) response.set(name, value);
  if (!answer.type.empty()) response.set(http::field::content_type, answer.type);
  if (answer.body) {
    response.content_length(answer.body->size());
    if (request.method() != http::verb::head) {
      response.body() = {answer.body->data(), answer.body->size()};
    }
  }
  http::response_serializer<Body> serializer{response};
  const auto until = std::chrono::steady_clock::now() + limits_.answer;
  while (!serializer.is_done()) {
    beast::error_code error;
    stream_.expires_after(limits_.stalled);
    co_await http::async_write_some(stream_, serializer, into(error));
    if (error || std::chrono::steady_clock::now() > until) co_return false;
  }
  co_return true;
}

asio::awaitable<void> Connection::send_events() {
  EventStream events(io_);
  const Followed followed(streams_, events);
  events.last = finishes_;
  const Bytes heartbeat = std::make_shared<const std::string>(":\n\n");
  for (;;) {
    if (!events.pending && !events.last) {
      beast::error_code woken;
      events.wake.expires_after(limits_.heartbeat);
      co_await events.wake.async_wait(into(woken));
      if (!events.pending && !woken) events.pending = heartbeat;
    }
    if (events.pending) {
      const Bytes text = std::exchange(events.pending, nullptr);
      const bool written = co_await write(*text);
      if (!written) co_return;
    } else if (events.last) {
      co_return;
    }
  }
}

asio::awaitable<bool> Connection::write(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    beast::error_code error;
    stream_.expires_after(limits_.stalled);
    at += co_await stream_.async_write_some(asio::buffer(text.data() + at, text.size() - at),
                                            into(error));
    if (error) co_return false;
  }
  stream_.expires_never();
  co_return true;
}

asio::awaitable<void> Connection::linger() {
  beast::error_code error;
  quietly([&] { stream_.socket().shutdown(tcp::socket::shutdown_send); });
  stream_.expires_after(std::chrono::seconds(1));
  std::array<char, 4096> waste{};
  for (std::size_t size = 0; !error && size < 65'536;) {
    size += co_await stream_.async_read_some(asio::buffer(waste), into(error));
  }
}

}  // namespace vsr::status
