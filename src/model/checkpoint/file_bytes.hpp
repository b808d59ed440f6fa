// A checkpoint on disk or in memory, read in bounded pieces. Positional reads instead of a memory
// map: a file that shrinks while it is read is then an error and not a SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vsr::model {

class FileBytes {
 public:
  // Opens a regular file (anything else, such as a folder or a pipe, is refused).
  explicit FileBytes(const std::filesystem::path& path);
  // `memory` must outlive it.
  explicit FileBytes(std::span<const std::byte> memory);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  std::uint64_t size() const { return size_; }

  // Fills `into` from `offset` on; a range that leaves the file is refused.
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  // The same into fresh memory, allocated only once the range is known to lie in the file.
  std::vector<std::byte> read(std::uint64_t offset, std::uint64_t bytes) const;
  // CRC-32 (as in zip) of a range, read piece by piece.
  std::uint32_t crc32(std::uint64_t offset, std::uint64_t bytes) const;
  // SHA-256 of the whole file, 64 hex digits.
  std::string sha256() const;

 private:
  void check_range(std::uint64_t offset, std::uint64_t bytes) const;

  int descriptor_ = -1;  // -1: memory_
  std::span<const std::byte> memory_;
  std::uint64_t size_ = 0;
};

// Unsigned little-endian number of `count` bytes. REQUIRES: offset + count <= bytes.size().
std::uint64_t little_endian(std::span<const std::byte> bytes,
                            std::size_t offset,
                            std::size_t count);

}  // namespace vsr::model
