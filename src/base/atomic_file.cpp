#include "vsr/base/atomic_file.hpp"

#include "file_failure.hpp"
#include "vsr/base/file_bytes.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace vsr {

namespace {

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags, std::string_view doing)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail_on_file(path, doing, errno);
  }

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() { ::close(fd_); }

  int get() const { return fd_; }

 private:
  int fd_;
};

void sync_directory_of(const std::filesystem::path& path) {
  std::filesystem::path directory = path.parent_path();
  if (directory.empty()) directory = ".";
  const Descriptor descriptor(directory, O_RDONLY | O_DIRECTORY, "cannot be opened");
  // Some network file systems cannot sync a directory (EINVAL); the rename is then as safe as it
  // gets there.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL)
    fail_on_file(directory, "cannot be synced", errno);
}

}  // namespace

std::filesystem::path part_name(const std::filesystem::path& path) {
  return std::filesystem::path(path) += ".part";
}

void publish(const std::filesystem::path& path) { publish(part_name(path), path); }

void publish(const std::filesystem::path& part, const std::filesystem::path& path) {
  {
    Descriptor descriptor(part, O_RDONLY, "cannot be opened");
    if (::fsync(descriptor.get()) != 0) fail_on_file(part, "cannot be synced", errno);
  }
  if (::rename(part.c_str(), path.c_str()) != 0)
    fail_on_file(path, "cannot be renamed into place", errno);
  sync_directory_of(path);
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  write_file(path, content, part_name(path));
}

void write_file(const std::filesystem::path& path,
                std::string_view content,
                const std::filesystem::path& part) {
  FileBytes file = FileBytes::to_write(part);
  file.write(content);
  file.close();
  publish(part, path);
}

std::string read_file(const std::filesystem::path& path, std::uint64_t most_bytes) {
  const FileBytes file = FileBytes::to_read(path);
  const std::uint64_t bytes = file.size();
  if (bytes > most_bytes) fail_on_file(path, "is too big", EFBIG);
  return file.read(0, bytes);
}

void remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail_on_file(path, "cannot be removed", errno);
  }
  sync_directory_of(path);
}

void make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) fail_on_file(path, "cannot be created", error.value());
}

std::uint64_t free_bytes(const std::filesystem::path& path) {
  struct statvfs status {};

  if (::statvfs(path.c_str(), &status) != 0)
    fail_on_file(path, "cannot be asked for its space", errno);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace vsr
