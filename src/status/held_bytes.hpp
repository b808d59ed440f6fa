// Texts on their way to clients, and how much all of them take: a client that reads slowly keeps
// what it has been promised, which has to have an end. Copies count together. Private; one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace vsr::status {

using Bytes = std::shared_ptr<const std::string>;

class HeldBytes {
 public:
  explicit HeldBytes(std::size_t limit) : limit_(limit) {}

  // `text`, counted as long as anybody has it.
  Bytes hold(std::string text) const {
    auto one = std::make_shared<const One>(std::move(text), count_);
    const std::string* content = &one->text;
    return {std::move(one), content};
  }

  bool full() const { return *count_ > limit_; }

 private:
  struct One {
    One(std::string content, std::shared_ptr<std::size_t> of)
        : text(std::move(content)), count(std::move(of)) {
      *count += text.size();
    }

    ~One() { *count -= text.size(); }

    One(const One&) = delete;
    One& operator=(const One&) = delete;

    std::string text;
    std::shared_ptr<std::size_t> count;
  };

  std::size_t limit_;
  std::shared_ptr<std::size_t> count_ = std::make_shared<std::size_t>(0);
};

}  // namespace vsr::status
