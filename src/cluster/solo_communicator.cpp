#include "vsr/cluster/communicator.hpp"

#include <cstdlib>
#include <deque>
#include <utility>

namespace vsr::cluster {

namespace {

class SoloCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }

  int size() const override { return 1; }

  int local_rank() const override { return 0; }

  int local_size() const override { return 1; }

  void broadcast(std::string&) override {}

  void send(int, std::string bytes) override { waiting_.push_back({0, std::move(bytes)}); }

  std::optional<Message> poll() override {
    if (waiting_.empty()) return std::nullopt;
    Message message = std::move(waiting_.front());
    waiting_.pop_front();
    return message;
  }

  void flush(double) override {}

  [[noreturn]] void abort(int status) override { std::_Exit(status); }

 private:
  std::deque<Message> waiting_;
};

}  // namespace

std::unique_ptr<Communicator> make_solo_communicator() {
  return std::make_unique<SoloCommunicator>();
}

}  // namespace vsr::cluster
