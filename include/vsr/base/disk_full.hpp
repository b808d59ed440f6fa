// The disk (or the quota) has no room left. An Error(kStorage) like any other to most; told apart
// by whoever would try again, since the same disk is just as full the second time.
#pragma once

#include "vsr/base/error.hpp"

#include <source_location>
#include <string>

namespace vsr {

class DiskFull : public Error {
 public:
  // `what` says which file; what to do about it is added.
  explicit DiskFull(const std::string& what,
                    std::source_location where = std::source_location::current());
};

// Of the values of errno: a full quota and a full disk are the same thing to whoever has to make
// room.
bool means_disk_full(int error) noexcept;

}  // namespace vsr
