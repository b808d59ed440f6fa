// The words after a subject's name, taken one by one; what is missing or wrong is a usage error.
#pragma once

#include "vsr/base/precision.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace vsr::bench {

class Arguments {
 public:
  Arguments(std::string subject, std::vector<std::string> words)
      : subject_(std::move(subject)), words_(std::move(words)) {}

  // `name` is the word's as the usage text has it. Those without a default have to be there. All
  // throw Error(kUsage).
  std::string text(const char* name);
  std::string text(const char* name, const std::string& otherwise);
  int number(const char* name, int otherwise, int least = 1);
  // "1,2,4"
  std::vector<int> numbers(const char* name, const std::vector<int>& otherwise, int least = 1);
  Precision precision(Precision otherwise);
  // One of `allowed`, the first unless another is given.
  std::string choice(const char* name, const std::vector<std::string>& allowed);

  // All that are left.
  std::vector<std::string> rest();
  // There must be none left.
  void end() const;

 private:
  [[noreturn]] void refuse(const std::string& why) const;

  bool more() const { return next_ < words_.size(); }

  std::string subject_;
  std::vector<std::string> words_;
  std::size_t next_ = 0;
};

}  // namespace vsr::bench
