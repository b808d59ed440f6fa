#include "vsr/base/atomic_file.hpp"

#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace vsr {

namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view doing, int error) {
  const std::string what = format("{}: {}: {}", path.string(), doing, std::strerror(error));
  if (means_disk_full(error)) throw DiskFull(what);
  throw Error(ErrorCode::kStorage, what);
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags, std::string_view doing)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail(path, doing, errno);
  }

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

  // close() may be the first to report a write that failed.
  int close() {
    const int result = ::close(fd_);
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

void sync_directory_of(const std::filesystem::path& path) {
  std::filesystem::path directory = path.parent_path();
  if (directory.empty()) directory = ".";
  const Descriptor descriptor(directory, O_RDONLY | O_DIRECTORY, "cannot be opened");
  // Some network file systems cannot sync a directory (EINVAL); the rename is then as safe as it
  // gets there.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) fail(directory, "cannot be synced", errno);
}

}  // namespace

std::filesystem::path part_name(const std::filesystem::path& path) {
  return std::filesystem::path(path) += ".part";
}

void publish(const std::filesystem::path& path) { publish(part_name(path), path); }

void publish(const std::filesystem::path& part, const std::filesystem::path& path) {
  {
    Descriptor descriptor(part, O_RDONLY, "cannot be opened");
    if (::fsync(descriptor.get()) != 0) fail(part, "cannot be synced", errno);
  }
  if (::rename(part.c_str(), path.c_str()) != 0) fail(path, "cannot be renamed into place", errno);
  sync_directory_of(path);
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  write_file(path, content, part_name(path));
}

void write_file(const std::filesystem::path& path,
                std::string_view content,
                const std::filesystem::path& part) {
  {
    Descriptor descriptor(part, O_WRONLY | O_CREAT | O_TRUNC, "cannot be created");
    while (!content.empty()) {
      const ssize_t written = ::write(descriptor.get(), content.data(), content.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(part, "cannot be written", errno);
      content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (descriptor.close() != 0) fail(part, "cannot be written", errno);
  }
  publish(part, path);
}

std::string read_file(const std::filesystem::path& path, std::uint64_t most_bytes) {
  const Descriptor descriptor(path, O_RDONLY, "cannot be opened");

  struct stat status {};

  if (::fstat(descriptor.get(), &status) != 0) fail(path, "cannot be read", errno);
  if (!S_ISREG(status.st_mode)) fail(path, "is no regular file", EINVAL);
  if (static_cast<std::uint64_t>(status.st_size) > most_bytes) fail(path, "is too big", EFBIG);
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t got = ::read(descriptor.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "cannot be read", errno);
    if (got == 0) break;  // shrank meanwhile
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

void remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail(path, "cannot be removed", errno);
  }
  sync_directory_of(path);
}

void make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) fail(path, "cannot be created", error.value());
}

std::uint64_t free_bytes(const std::filesystem::path& path) {
  struct statvfs status {};

  if (::statvfs(path.c_str(), &status) != 0) fail(path, "cannot be asked for its space", errno);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace vsr
