#include "vsr/base/error.hpp"

#include "vsr/base/disk_full.hpp"

#include <cerrno>

namespace vsr {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kInput:
      return "input";
    case ErrorCode::kModel:
      return "model";
    case ErrorCode::kGpu:
      return "gpu";
    case ErrorCode::kStorage:
      return "storage";
    case ErrorCode::kCluster:
      return "cluster";
    case ErrorCode::kInterrupted:
      return "interrupted";
  }
  return "unknown";
}

Error::Error(ErrorCode code, const std::string& message, std::source_location where)
    : std::runtime_error(message), code_(code), where_(where), text_(message) {}

void Error::add_context(std::string_view context) { text_ = std::string(context) + ": " + text_; }

DiskFull::DiskFull(const std::string& what, std::source_location where)
    : Error(ErrorCode::kStorage, what + "; free some space: nothing committed is lost", where) {}

bool means_disk_full(int error) noexcept { return error == ENOSPC || error == EDQUOT; }

}  // namespace vsr
