#include "vsr/base/file_bytes.hpp"

#include "file_failure.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vsr {

namespace {

struct stat status_of(int fd, const std::filesystem::path& path) {
  struct stat status {};

  if (::fstat(fd, &status) != 0) fail_on_file(path, "cannot be read", errno);
  return status;
}

}  // namespace

void fail_on_file(const std::filesystem::path& path, std::string_view doing, int error) {
  const std::string what = format("{}: {}: {}", path.string(), doing, std::strerror(error));
  if (means_disk_full(error)) throw DiskFull(what);
  throw Error(ErrorCode::kStorage, what);
}

FileBytes::FileBytes(std::filesystem::path path, int flags, std::string_view doing)
    : path_(std::move(path)), fd_(::open(path_.c_str(), flags | O_CLOEXEC, 0644)) {
  if (fd_ < 0) fail_on_file(path_, doing, errno);
}

FileBytes FileBytes::to_read(const std::filesystem::path& path) {
  FileBytes file(path, O_RDONLY, "cannot be opened");
  if (!S_ISREG(status_of(file.fd_, path).st_mode)) fail_on_file(path, "is no regular file", EINVAL);
  return file;
}

FileBytes FileBytes::to_write(const std::filesystem::path& path) {
  return {path, O_WRONLY | O_CREAT | O_TRUNC, "cannot be created"};
}

FileBytes::~FileBytes() {
  if (fd_ >= 0) ::close(fd_);
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

std::uint64_t FileBytes::size() const {
  return static_cast<std::uint64_t>(status_of(fd_, path_).st_size);
}

std::string FileBytes::read(std::uint64_t offset, std::uint64_t count) const {
  const std::uint64_t bytes = size();
  std::string content(std::min(count, bytes - std::min(bytes, offset)), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t got = ::pread(
        fd_, content.data() + filled, content.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_on_file(path_, "cannot be read", errno);
    if (got == 0) break;  // shrank meanwhile
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

void FileBytes::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_on_file(path_, "cannot be written", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void FileBytes::close() {
  if (::close(std::exchange(fd_, -1)) != 0) fail_on_file(path_, "cannot be written", errno);
}

}  // namespace vsr
