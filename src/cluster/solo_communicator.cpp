#include "vsr/cluster/communicator.hpp"

#include <cstdlib>
#include <deque>
#include <utility>

namespace vsr::cluster {

namespace {

class SoloCommunicator : public Communicator {
 public:
  SoloCommunicator(int local_rank, int local_size)
      : local_rank_(local_rank), local_size_(local_size) {}

  int rank() const override { return 0; }

  int size() const override { return 1; }

  int local_rank() const override { return local_rank_; }

  int local_size() const override { return local_size_; }

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
  const int local_rank_;
  const int local_size_;
  std::deque<Message> waiting_;
};

}  // namespace

std::unique_ptr<Communicator> make_solo_communicator(int local_rank, int local_size) {
  return std::make_unique<SoloCommunicator>(local_rank, local_size);
}

}  // namespace vsr::cluster
