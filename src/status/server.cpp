#include "vsr/status/server.hpp"

#include "asio.hpp"
#include "connection.hpp"
#include "event_streams.hpp"
#include "limits.hpp"
#include "rate_limit.hpp"
#include "site.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/number.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace vsr::status {

namespace {

constexpr int kNice = 10;
constexpr std::size_t kTokenLength = 16;

Error usage(const std::string& listen, std::string_view what) {
  return {ErrorCode::kUsage, format("status.listen = {}: {}", listen, what)};
}

tcp::endpoint endpoint_of(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  const auto port = colon == std::string::npos
                        ? std::nullopt
                        : parse_number<unsigned short>(std::string_view(listen).substr(colon + 1));
  std::string host = listen.substr(0, port ? colon : 0);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  beast::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (!port || error || brackets != address.is_v6()) {
    throw usage(listen, "it is ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080");
  }
  return {address, *port};
}

void check_token(const ServerOptions& options, const tcp::endpoint& endpoint) {
  const std::string& token = options.token;
  if (!std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; })) {
    throw Error(ErrorCode::kUsage, "status.token_file: visible ASCII characters alone can be sent");
  }
  if (endpoint.address().is_loopback() || token.size() >= kTokenLength) return;
  throw usage(options.listen,
              format("others reach this address, so it needs a token of {} characters at least "
                     "(status.token_file or VSR_STATUS_TOKEN); "
                     "or listen on 127.0.0.1 and come by ssh -L",
                     kTokenLength));
}

std::string host_of(const asio::ip::address& address) {
  return address.is_v6() ? format("[{}]", address.to_string()) : address.to_string();
}

// What it may be called where no token is asked.
std::vector<std::string> names_of(const ServerOptions& options, const tcp::endpoint& endpoint) {
  if (!options.token.empty()) return {};
  std::vector<std::string> names{"localhost", "127.0.0.1", "[::1]"};
  const std::string own = host_of(endpoint.address());
  if (std::ranges::find(names, own) == names.end()) names.push_back(own);
  return names;
}

// As the limits count them: hosts have whole /64s of IPv6.
std::string counted_address(const asio::ip::address& address) {
  if (!address.is_v6()) return address.to_string();
  const auto bytes = address.to_v6().to_bytes();
  return {bytes.begin(), bytes.begin() + 8};
}

}  // namespace

struct Server::Impl {
  Impl(const ServerOptions& options, Content content, const Limits& given)
      : limits(given),
        endpoint(endpoint_of(options.listen)),
        site(std::move(content), options.token, names_of(options, endpoint), limits),
        io(1),
        acceptor(io),
        pause(io),
        streams(io, site) {
    check_token(options, endpoint);
    listen(options.listen);
    asio::co_spawn(io, accept(), asio::detached);
    thread = std::thread([this] { work(); });
  }

  ~Impl() {
    asio::post(io, [this] { finish(); });
    thread.join();
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void listen(const std::string& name);
  void work();
  asio::awaitable<void> accept();
  void begin(tcp::socket socket);
  asio::awaitable<void> serve(std::unique_ptr<Connection> connection);
  void finish();

  Limits limits;
  tcp::endpoint endpoint;
  std::string url;
  Site site;
  std::set<Connection*> connections;
  std::map<std::string, int> of_address;
  asio::io_context io;
  tcp::acceptor acceptor;
  asio::steady_timer pause;  // of accept(); at the end, of all
  EventStreams streams;
  std::thread thread;
};

void Server::Impl::listen(const std::string& name) {
  try {
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    endpoint = acceptor.local_endpoint();
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorCode::kStorage,
                format("status.listen = {}: {}; choose another address or port, or off",
                       name,
                       error.code().message()));
  }
  std::string host = host_of(endpoint.address());
  if (endpoint.address().is_unspecified()) host = host_name();
  url = format("http://{}:{}/", host, endpoint.port());
}

void Server::Impl::work() {
  // Signals are the run's.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  // Of this thread alone, on Linux.
  setpriority(PRIO_PROCESS, 0, std::max(kNice, getpriority(PRIO_PROCESS, 0)));
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::exception& error) {
      log::warning("status", "status server: {}", error.what());
    }
  }
}

asio::awaitable<void> Server::Impl::accept() {
  RateLimit rate(limits.connections_per_s, limits.connections_at_once);
  while (acceptor.is_open()) {
    beast::error_code error;
    tcp::socket socket = co_await acceptor.async_accept(into(error));
    if (!error) {
      try {
        begin(std::move(socket));
      } catch (const std::exception& failure) {  // this connection's alone
        log::debug("status", "a connection: {}", failure.what());
      }
    } else if (acceptor.is_open()) {  // no more open files, most likely
      pause.expires_after(std::chrono::seconds(1));
      co_await pause.async_wait(into(error));
    }
    while (acceptor.is_open() && !rate.take("", RateLimit::Time::clock::now())) {
      pause.expires_after(std::chrono::milliseconds(20));
      co_await pause.async_wait(into(error));
    }
  }
}

void Server::Impl::begin(tcp::socket socket) {
  beast::error_code error;
  const std::string address = counted_address(socket.remote_endpoint(error).address());
  if (error) return;  // gone again
  const auto known = of_address.find(address);
  const int others = known == of_address.end() ? 0 : known->second;
  if (connections.size() >= static_cast<std::size_t>(limits.connections) ||
      others >= limits.connections_of_address) {
    constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: "
        "5\r\nContent-Length: 21\r\n"
        "Content-Type: text/plain\r\n\r\ntoo many connections\n";
    quietly([&] {  // as much as can be done at once
      socket.non_blocking(true);
      socket.write_some(asio::buffer(kFull.data(), kFull.size()));
      socket.shutdown(tcp::socket::shutdown_send);
    });
    return;
  }
  auto connection =
      std::make_unique<Connection>(std::move(socket), address, io, site, streams, limits);
  asio::co_spawn(io, serve(std::move(connection)), asio::detached);
}

asio::awaitable<void> Server::Impl::serve(std::unique_ptr<Connection> connection) {
  try {
    ++of_address[connection->address()];
    connections.insert(connection.get());
    if (!acceptor.is_open()) connection->finish();  // accepted before the end, begun behind it
    co_await connection->serve();
  } catch (const std::exception& error) {  // this connection's alone
    log::debug("status", "a connection: {}", error.what());
  }
  connections.erase(connection.get());
  const auto known = of_address.find(connection->address());
  if (known != of_address.end() && --known->second == 0) of_address.erase(known);
  // When all are gone, nothing holds run() any longer.
  if (!acceptor.is_open() && connections.empty()) pause.cancel();
}

void Server::Impl::finish() {
  quietly([&] { acceptor.close(); });
  streams.finish();
  for (Connection* connection : connections) connection->finish();
  pause.expires_after(limits.farewell);
  pause.async_wait([this](const beast::error_code&) {
    for (Connection* connection : connections) connection->close();
  });
  if (connections.empty()) pause.cancel();
}

Server::Server(const ServerOptions& options, Content content)
    : Server(options, std::move(content), Limits{}) {}

Server::Server(const ServerOptions& options, Content content, const Limits& limits)
    : impl_(std::make_unique<Impl>(options, std::move(content), limits)) {}

Server::~Server() = default;

const std::string& Server::url() const { return impl_->url; }

}  // namespace vsr::status
