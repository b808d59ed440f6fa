// A client's connection: one request after the other, with limits of size and time. Private; one
// thread.
#pragma once

#include "asio.hpp"
#include "event_streams.hpp"
#include "limits.hpp"
#include "site.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>

#include <string>

namespace vsr::status {

class Connection {
 public:
  // `address`: of the client, as the limits count it.
  Connection(tcp::socket socket,
             std::string address,
             asio::io_context& io,
             Site& site,
             EventStreams& streams,
             const Limits& limits);

  // Until one side has ended it.
  asio::awaitable<void> serve();
  // Ends it, whatever it is at.
  void close() noexcept;
  // Ends it unless it is at an answer, which it may finish.
  void finish();

  const std::string& address() const { return address_; }

 private:
  using Parser = http::request_parser<http::empty_body>;

  // The head of the next request. False: there is none; `bad_` then has the answer, if one is due.
  asio::awaitable<bool> read(Parser& parser);
  asio::awaitable<bool> send(const Answer& answer, const Request& request, bool keep_alive);
  asio::awaitable<void> send_events();
  asio::awaitable<bool> write(const std::string& text);
  // Lets the client read our answer before the connection is torn down with what it still sends.
  asio::awaitable<void> linger();

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::string address_;
  asio::io_context& io_;
  Site& site_;
  EventStreams& streams_;
  const Limits& limits_;
  bool is_new_ = true;     // no request yet
  bool answers_ = false;   // is at an answer
  bool finishes_ = false;  // no further request
  http::status bad_{};
};

}  // namespace vsr::status
