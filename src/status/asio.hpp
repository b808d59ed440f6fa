// Asio and Beast as this room uses them: coroutines on one thread, errors as values. Private.
#pragma once

// clang-format off
#include <utility>  // which Boost 1.74 forgets in its awaitable.hpp
// clang-format on

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/system/system_error.hpp>

#include <string_view>

namespace vsr::status {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;

// Beast's own string view, which is another one in each Boost.
inline std::string_view standard(beast::string_view text) { return {text.data(), text.size()}; }

// For co_await: what went wrong goes into `error`, nothing is thrown.
inline auto into(beast::error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

// Calls `step`; that it fails changes nothing.
template <typename Step>
void quietly(const Step& step) {
  try {
    step();
  } catch (const boost::system::system_error&) {  // as said
  }
}

}  // namespace vsr::status
