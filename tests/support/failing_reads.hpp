// Reads that fail as they do when a disk or a network goes: the program that links this has a
// read() of its own, which FFmpeg's libraries call like any other.
#pragma once

#include <cstdint>
#include <filesystem>

namespace vsr::test {

// While one lives, every read of this file that reaches byte `from` or beyond fails (EIO). One at a
// time.
class FailingReads {
 public:
  FailingReads(const std::filesystem::path& file, std::uint64_t from);
  ~FailingReads();
  FailingReads(const FailingReads&) = delete;
  FailingReads& operator=(const FailingReads&) = delete;
};

}  // namespace vsr::test
