// A client that says what it likes, byte by byte, to a server on loopback. For tests.
#pragma once

#include <string>
#include <string_view>

namespace vsr::test {

struct HttpAnswer {
  int status = 0;  // 0: none came
  std::string head;
  std::string body;

  // Value of a field, empty if there is none; its name is compared as written.
  std::string field(const std::string& name) const;
};

class RawClient {
 public:
  // Throws std::runtime_error if there is nobody. `receive_buffer`: bytes, 0: as the system has it.
  explicit RawClient(int port, int receive_buffer = 0, const std::string& address = "127.0.0.1");
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  // False: the other side has closed.
  bool send(std::string_view text);
  // One answer, by its Content-Length; of a request by HEAD, its head alone.
  HttpAnswer answer(bool head_only = false, double timeout_s = 5);
  // Up to and with `mark`; what came, if it did not come.
  std::string until(const std::string& mark, double timeout_s = 5);
  // Everything until the other side closes; says whether it did.
  bool closes(double timeout_s, std::string* rest = nullptr);
  // With a reset, as of a client that dies.
  void abort();

 private:
  bool more(double timeout_s);

  int socket_ = -1;
  std::string buffer_;
};

// "GET path", with a Host, and `more` lines, each with its end.
std::string get(const std::string& path, const std::string& more = "");
HttpAnswer ask(int port, const std::string& request, const std::string& address = "127.0.0.1");

}  // namespace vsr::test
