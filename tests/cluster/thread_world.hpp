// Ranks as threads of one process, for tests: every rank gets a Communicator of its own over shared
// mail boxes.
#pragma once

#include "vsr/cluster/communicator.hpp"

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace vsr::cluster::test {

class ThreadWorld {
 public:
  explicit ThreadWorld(int size) : boxes_(static_cast<std::size_t>(size)) {}

  std::unique_ptr<Communicator> rank(int rank) { return std::make_unique<Member>(*this, rank); }

  // What rank 0 has broadcast so far.
  std::vector<std::string> broadcasts() {
    const std::lock_guard lock(mutex_);
    return broadcasts_;
  }

 private:
  class Member : public Communicator {
   public:
    Member(ThreadWorld& world, int rank) : world_(world), rank_(rank) {}

    int rank() const override { return rank_; }

    int size() const override { return static_cast<int>(world_.boxes_.size()); }

    int local_rank() const override { return rank_; }

    int local_size() const override { return size(); }

    void broadcast(std::string& bytes) override {
      if (rank_ == 0) {
        const std::lock_guard lock(world_.mutex_);
        world_.broadcasts_.push_back(bytes);
        return;
      }
      while (true) {
        {
          const std::lock_guard lock(world_.mutex_);
          if (heard_ < world_.broadcasts_.size()) {
            bytes = world_.broadcasts_[heard_++];
            return;
          }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }

    void send(int to, std::string bytes) override {
      const std::lock_guard lock(world_.mutex_);
      world_.boxes_[static_cast<std::size_t>(to)].push_back({rank_, std::move(bytes)});
    }

    std::optional<Message> poll() override {
      const std::lock_guard lock(world_.mutex_);
      auto& box = world_.boxes_[static_cast<std::size_t>(rank_)];
      if (box.empty()) return std::nullopt;
      Message message = std::move(box.front());
      box.pop_front();
      return message;
    }

    void flush(double) override {}

    [[noreturn]] void abort(int) override { std::abort(); }

   private:
    ThreadWorld& world_;
    int rank_;
    std::size_t heard_ = 0;  // of the broadcasts
  };

  std::mutex mutex_;
  std::vector<std::deque<Message>> boxes_;  // guarded by mutex_
  std::vector<std::string> broadcasts_;     // likewise
};

}  // namespace vsr::cluster::test
