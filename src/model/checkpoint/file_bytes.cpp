#include "checkpoint/file_bytes.hpp"

#include "checkpoint/refusal.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace vsr::model {

namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;

std::string reason(int code) { return std::generic_category().message(code); }

// Eight tables, so that eight bytes are taken at a time: 176 MB are checked in a tenth of a second.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
    tables[0][byte] = value;
  }
  for (std::size_t table = 1; table < 8; ++table) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[table - 1][byte];
      tables[table][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr CrcTables kCrc = make_crc_tables();

std::uint32_t update_crc(std::uint32_t crc, std::span<const std::byte> bytes) {
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    const std::uint64_t word = little_endian(bytes, at, 8) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= kCrc[7 - i][(word >> (8 * i)) & 0xFF];
  }
  for (; at < bytes.size(); ++at) {
    crc = (crc >> 8) ^ kCrc[0][(crc ^ std::to_integer<std::uint32_t>(bytes[at])) & 0xFF];
  }
  return crc;
}

}  // namespace

std::uint64_t little_endian(std::span<const std::byte> bytes,
                            std::size_t offset,
                            std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[offset + i]) << (8 * i);
  }
  return value;
}

FileBytes::FileBytes(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for its other end.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) refuse(format("cannot be opened: {}", reason(errno)));

  struct stat about {};

  const bool known = fstat(descriptor_, &about) == 0;
  if (!known || !S_ISREG(about.st_mode)) {
    const std::string why = known ? "not a regular file" : reason(errno);
    close(descriptor_);
    refuse(format("cannot be read: {}", why));
  }
  size_ = static_cast<std::uint64_t>(about.st_size);
}

FileBytes::FileBytes(std::span<const std::byte> memory) : memory_(memory), size_(memory.size()) {}

FileBytes::~FileBytes() {
  if (descriptor_ >= 0) close(descriptor_);
}

void FileBytes::check_range(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) {
    refuse(format("truncated: {} bytes at {} are needed, the file has {} bytes; fetch it again",
                  bytes,
                  offset,
                  size_));
  }
}

void FileBytes::read(std::uint64_t offset, std::span<std::byte> into) const {
  check_range(offset, into.size());
  if (descriptor_ < 0) {
    std::copy_n(memory_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return;
  }
  while (!into.empty()) {
    const ssize_t got = pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(format("cannot be read at byte {}: {}", offset, reason(errno)));
    if (got == 0) refuse(format("became shorter while it was read (at byte {})", offset));
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

std::vector<std::byte> FileBytes::read(std::uint64_t offset, std::uint64_t bytes) const {
  check_range(offset, bytes);
  std::vector<std::byte> content(bytes);
  read(offset, content);
  return content;
}

std::uint32_t FileBytes::crc32(std::uint64_t offset, std::uint64_t bytes) const {
  check_range(offset, bytes);
  std::vector<std::byte> buffer(std::min(bytes, kPieceBytes));
  std::uint32_t crc = 0xFFFFFFFFu;
  for (std::uint64_t done = 0; done < bytes;) {
    const auto piece = std::span(buffer).first(std::min(bytes - done, kPieceBytes));
    read(offset + done, piece);
    crc = update_crc(crc, piece);
    done += piece.size();
  }
  return ~crc;
}

std::string FileBytes::sha256() const {
  std::vector<std::byte> buffer(std::min(size_, kPieceBytes));
  Sha256 hash;
  for (std::uint64_t done = 0; done < size_;) {
    const auto piece = std::span(buffer).first(std::min(size_ - done, kPieceBytes));
    read(done, piece);
    hash.update(piece.data(), piece.size());
    done += piece.size();
  }
  return hash.finish();
}

}  // namespace vsr::model
