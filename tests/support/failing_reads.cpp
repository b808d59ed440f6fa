#include "failing_reads.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <stdexcept>

namespace {

// Of the file whose reads fail; number 0: none.
std::atomic<dev_t> g_device = 0;
std::atomic<ino_t> g_number = 0;
std::atomic<off_t> g_from = 0;

bool shall_fail(int file, std::size_t count) {
  if (g_number == 0) return false;

  struct stat status {};

  if (::fstat(file, &status) != 0) return false;
  if (status.st_dev != g_device || status.st_ino != g_number) return false;
  return ::lseek(file, 0, SEEK_CUR) + static_cast<off_t>(count) > g_from;
}

}  // namespace

extern "C" ssize_t read(int file, void* bytes, std::size_t count) {
  if (shall_fail(file, count)) {
    errno = EIO;
    return -1;
  }
  return ::syscall(SYS_read, file, bytes, count);
}

namespace vsr::test {

FailingReads::FailingReads(const std::filesystem::path& file, std::uint64_t from) {
  struct stat status {};

  if (::stat(file.c_str(), &status) != 0) throw std::runtime_error("no " + file.string());
  g_device = status.st_dev;
  g_from = static_cast<off_t>(from);
  g_number = status.st_ino;
}

FailingReads::~FailingReads() { g_number = 0; }

}  // namespace vsr::test
