#include "arguments.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <sstream>

namespace vsr::bench {

void Arguments::refuse(const std::string& why) const {
  throw Error(ErrorCode::kUsage, format("{}: {}; see vsr-bench --help", subject_, why));
}

std::string Arguments::text(const char* name) {
  if (!more()) refuse(format("{} is missing", name));
  return words_[next_++];
}

std::string Arguments::text(const char* name, const std::string& otherwise) {
  return more() ? text(name) : otherwise;
}

int Arguments::number(const char* name, int otherwise, int least) {
  return numbers(name, {otherwise}, least).front();
}

std::vector<int> Arguments::numbers(const char* name,
                                    const std::vector<int>& otherwise,
                                    int least) {
  if (!more()) return otherwise;
  std::vector<int> all;
  std::istringstream words(text(name));
  for (std::string word; std::getline(words, word, ',');) {
    const auto value = parse_number<int>(word);
    if (!value || *value < least) {
      refuse(format("{} is '{}'; it must be a whole number from {} on", name, word, least));
    }
    all.push_back(*value);
  }
  if (all.empty()) refuse(format("{} is empty", name));
  return all;
}

Precision Arguments::precision(Precision otherwise) {
  const std::string name = text("PRECISION", to_string(otherwise));
  for (const Precision precision :
       {Precision::kFp32, Precision::kTf32, Precision::kBf16, Precision::kFp16}) {
    if (to_string(precision) == name) return precision;
  }
  refuse(format("PRECISION is '{}'; allowed: fp32, tf32, bf16, fp16", name));
}

std::string Arguments::choice(const char* name, const std::vector<std::string>& allowed) {
  const std::string word = text(name, allowed.front());
  std::string all;
  for (const std::string& each : allowed) {
    if (each == word) return word;
    all += (all.empty() ? "" : ", ") + each;
  }
  refuse(format("{} is '{}'; allowed: {}", name, word, all));
}

std::vector<std::string> Arguments::rest() {
  const auto from = words_.begin() + static_cast<std::ptrdiff_t>(next_);
  next_ = words_.size();
  return {from, words_.end()};
}

void Arguments::end() const {
  if (more()) refuse(format("'{}' is one word too many", words_[next_]));
}

}  // namespace vsr::bench
