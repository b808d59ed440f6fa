#include "raw_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace vsr::test {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_until(Clock::time_point end) {
  return std::chrono::duration<double>(end - Clock::now()).count();
}

Clock::time_point in(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

std::string HttpAnswer::field(const std::string& name) const {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

RawClient::RawClient(int port, int receive_buffer, const std::string& address) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(static_cast<std::uint16_t>(port));
  const bool is_v6 = inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
  socket_ = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) {
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  const int status = is_v6 ? connect(socket_, reinterpret_cast<sockaddr*>(&v6), sizeof v6)
                           : connect(socket_, reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  if (status != 0) {
    close(socket_);
    throw std::runtime_error("nobody there");
  }
}

RawClient::~RawClient() {
  if (socket_ >= 0) close(socket_);
}

RawClient::RawClient(RawClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

bool RawClient::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawClient::more(double timeout_s) {
  pollfd wanted{socket_, POLLIN, 0};
  if (timeout_s <= 0 || poll(&wanted, 1, static_cast<int>(timeout_s * 1000) + 1) <= 0) return false;
  std::array<char, 65536> bytes{};
  const ssize_t size = recv(socket_, bytes.data(), bytes.size(), 0);
  if (size <= 0) return false;
  buffer_.append(bytes.data(), static_cast<std::size_t>(size));
  return true;
}

std::string RawClient::until(const std::string& mark, double timeout_s) {
  const Clock::time_point end = in(timeout_s);
  std::size_t at = 0;
  while ((at = buffer_.find(mark)) == std::string::npos) {
    if (!more(seconds_until(end))) return std::exchange(buffer_, {});
  }
  std::string text = buffer_.substr(0, at + mark.size());
  buffer_.erase(0, text.size());
  return text;
}

HttpAnswer RawClient::answer(bool head_only, double timeout_s) {
  const Clock::time_point end = in(timeout_s);
  HttpAnswer answer;
  answer.head = until("\r\n\r\n", timeout_s);
  if (answer.head.substr(0, 5) != "HTTP/") return answer;
  answer.status = std::stoi(answer.head.substr(9, 3));
  const std::string length = answer.field("Content-Length");
  if (head_only || length.empty()) return answer;
  const std::size_t size = std::stoul(length);
  while (buffer_.size() < size && more(seconds_until(end))) {
  }
  answer.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return answer;
}

bool RawClient::closes(double timeout_s, std::string* rest) {
  const Clock::time_point end = in(timeout_s);
  while (more(seconds_until(end))) {
  }
  if (rest != nullptr) *rest = buffer_;
  return seconds_until(end) > 0;
}

void RawClient::abort() {
  const linger hard{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(std::exchange(socket_, -1));
}

std::string get(const std::string& path, const std::string& more) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}

HttpAnswer ask(int port, const std::string& request, const std::string& address) {
  RawClient client(port, 0, address);
  client.send(request);
  return client.answer(request.substr(0, 5) == "HEAD ");
}

}  // namespace vsr::test
