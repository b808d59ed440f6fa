// An open file, by the bytes. Every function throws Error(kStorage) with the file's name and the
// system's reason, DiskFull where that is the reason.
#pragma once

#include "vsr/base/byte_source.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace vsr {

class FileBytes {
 public:
  // Refuses what is no regular file.
  static FileBytes to_read(const std::filesystem::path& path);
  // Empty, made where it is missing.
  static FileBytes to_write(const std::filesystem::path& path);
  ~FileBytes();
  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;

  std::uint64_t size() const;
  // So many bytes from there on; fewer at the end.
  std::string read(std::uint64_t offset, std::uint64_t count) const;
  // Behind all that is written.
  void write(std::string_view bytes);
  // After writing: may be the first to report that it failed.
  void close();

 private:
  FileBytes(std::filesystem::path path, int flags, std::string_view doing);

  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace vsr
