// The zip container as torch.save writes it: entries stored, not deflated; sizes and CRCs taken
// from the central directory, since the local headers may leave them to a data descriptor; zip64
// where announced. Entries are found by name and never become files.
#pragma once

#include "checkpoint/file_bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vsr::model {

struct ZipEntry {
  std::uint64_t data_offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t packed_bytes = 0;
  std::uint32_t crc = 0;
  std::uint16_t method = 0;  // 0: stored
  bool encrypted = false;
};

class ZipArchive {
 public:
  // Reads and checks the whole directory: every entry inside the file, none over another, no name
  // twice. `file` must outlive the archive.
  explicit ZipArchive(const FileBytes& file);
  // By the first bytes of a file.
  static bool recognises(std::span<const std::byte> head);

  const std::map<std::string, ZipEntry>& entries() const { return entries_; }

  // Refuses an entry that is missing, compressed or encrypted, or whose CRC-32 is wrong. An archive
  // whose CRCs are all zero was written without them, and is not checked.
  const ZipEntry& checked(const std::string& name) const;
  // The content of a checked() entry; refuses more than `most_bytes`.
  std::vector<std::byte> read(const std::string& name, std::uint64_t most_bytes) const;

 private:
  struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
  };

  Directory find_directory() const;
  void read_directory(const Directory& directory);

  const FileBytes& file_;
  std::map<std::string, ZipEntry> entries_;
  bool has_crcs_ = false;
};

}  // namespace vsr::model
