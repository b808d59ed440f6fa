// One line of `vsr-dist doctor`: what was looked at, how it stands, what to do about it.
#pragma once

#include "vsr/base/error.hpp"

#include <exception>
#include <string>
#include <utility>

namespace vsr::launcher::doctor {

enum class Verdict { kOk, kWarning, kFailure };

struct Check {
  std::string name;  // "gpu", "run directory"
  Verdict verdict = Verdict::kOk;
  std::string seen;                       // with figures
  std::string advice;                     // may be empty where `seen` says what to do
  ErrorCode code = ErrorCode::kInternal;  // of a failure: its exit status

  bool operator==(const Check&) const = default;
};

inline Check ok(std::string name, std::string seen) {
  return {std::move(name), Verdict::kOk, std::move(seen), {}};
}

inline Check warning(std::string name, std::string seen, std::string advice) {
  return {std::move(name), Verdict::kWarning, std::move(seen), std::move(advice)};
}

inline Check failure(std::string name, ErrorCode code, std::string seen, std::string advice = {}) {
  return {std::move(name), Verdict::kFailure, std::move(seen), std::move(advice), code};
}

// `bad`, unless all is well: then it was seen, and needs no advice.
inline Check unless(bool well, Check bad) {
  return well ? ok(std::move(bad.name), std::move(bad.seen)) : std::move(bad);
}

// What `look` throws becomes a failure of that name; only Error(kInterrupted) goes on.
template <typename Look>
Check attempt(const std::string& name, const Look& look) {
  try {
    return look();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) throw;
    return failure(name, error.code(), error.what());
  } catch (const std::exception& error) {
    return failure(name, ErrorCode::kInternal, error.what());
  }
}

}  // namespace vsr::launcher::doctor
