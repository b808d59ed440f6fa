#include "lease_file.hpp"

#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <sstream>
#include <vector>

namespace vsr::store {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostBytes = 1024;
constexpr std::size_t kCounterDigits = 20;
constexpr std::size_t kIdDigits = 16;

bool is_id(const std::string& text) {
  return text.size() == kIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

[[noreturn]] void fail(const fs::path& path, const char* doing, int error) {
  const std::string what = format("{}: {}: {}", path.string(), doing, std::strerror(error));
  if (means_disk_full(error)) throw DiskFull(what);
  if (error == EROFS) {
    throw Error(ErrorCode::kStorage, what + "; mount it writable, or give another --run.dir");
  }
  if (error == EACCES || error == EPERM) {
    throw Error(ErrorCode::kStorage,
                what +
                    "; let all jobs of this run be of one user, or of a group that may read "
                    "and write here");
  }
  throw Error(ErrorCode::kStorage, what);
}

// ESTALE: another client of a file server removed or replaced it under our hands.
bool means_gone(int error) { return error == ENOENT || error == ESTALE; }

bool means_no_hard_links(int error) {
  return error == EPERM || error == ENOSYS || error == EOPNOTSUPP;
}

class File {
 public:
  File(const fs::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644)) {}

  File(const File&) = delete;
  File& operator=(const File&) = delete;

  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool is_open() const { return fd_ >= 0; }

  // These return false with errno set.
  bool read(LeaseState& state) {
    struct stat status {};

    if (::fstat(fd_, &status) != 0) return false;
    if (!S_ISREG(status.st_mode)) {
      errno = EISDIR;
      return false;
    }
    state.mtime_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
    state.content.resize(kMostBytes);
    const ssize_t got = ::pread(fd_, state.content.data(), kMostBytes, 0);
    if (got < 0) return false;
    state.content.resize(static_cast<std::size_t>(got));
    state.line = parse_lease(state.content);
    return true;
  }

  bool write(std::string_view text, std::size_t at) {
    const ssize_t written = ::pwrite(fd_, text.data(), text.size(), static_cast<off_t>(at));
    if (written < 0) return false;
    errno = ENOSPC;  // what keeps so short a text from being written whole
    return static_cast<std::size_t>(written) == text.size();
  }

  // An NFS client sends what was written now at the latest, and only now tells what went wrong.
  bool close() {
    const int result = ::close(fd_);
    fd_ = -1;
    return result == 0;
  }

 private:
  int fd_;
};

// False when there is a file. One that could not be written whole is removed.
bool create_exclusive(const fs::path& path, const std::string& text) {
  File file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) {
    if (errno == EEXIST) return false;
    fail(path, "cannot be created", errno);
  }
  if (file.write(text, 0) && file.close()) return true;
  const int error = errno;
  ::unlink(path.c_str());
  fail(path, "cannot be written", error);
}

std::string counter_text(std::uint64_t counter) {
  return format("{:0{}d}\n", counter, kCounterDigits);
}

}  // namespace

bool is_lease_word(const std::string& text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
  };
  return !text.empty() && text.size() <= 200 && std::all_of(text.begin(), text.end(), good);
}

std::string random_id() {
  std::random_device source;
  return format("{:08x}{:08x}", source(), source());
}

std::string print_lease(const LeaseLine& line) {
  return format("vsr-dist lease 1 {} {} {} {} {} {} {}",
                line.owner,
                line.host,
                line.process.pid,
                line.process.start_ticks,
                line.process.place,
                line.id,
                counter_text(line.counter));
}

std::optional<LeaseLine> parse_lease(const std::string& content) {
  std::istringstream text(content);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  if (words.size() != 10) return std::nullopt;
  const auto pid = parse_number<std::int64_t>(words[5]);
  const auto start = parse_number<std::uint64_t>(words[6]);
  const auto counter = parse_number<std::uint64_t>(words[9]);
  // The id becomes part of a file's name.
  if (!pid || !start || !counter || !is_id(words[8])) return std::nullopt;
  LeaseLine line{words[3], words[4], {*pid, *start, words[7]}, words[8], *counter};
  for (const auto& word : words) {
    if (!is_lease_word(word)) return std::nullopt;
  }
  if (print_lease(line) != content) return std::nullopt;
  return line;
}

std::optional<LeaseState> read_lease(const fs::path& path) {
  File file(path, O_RDONLY);
  LeaseState state;
  if (file.is_open() && file.read(state)) return state;
  if (means_gone(errno)) return std::nullopt;
  fail(path, "cannot be read", errno);
}

bool create_lease(const fs::path& path, const LeaseLine& line, bool& hard_links) {
  const std::string text = print_lease(line);
  if (hard_links) {
    const fs::path part = path.parent_path() / (random_id() + ".part");
    create_exclusive(part, text);
    const int error = ::link(part.c_str(), path.c_str()) == 0 ? 0 : errno;
    // Now, so that a lease is a file of one name and goes when that is replaced.
    ::unlink(part.c_str());
    if (error == 0) return true;
    if (error == EEXIST || means_gone(error)) return false;
    if (!means_no_hard_links(error)) fail(path, "cannot be created", error);
    hard_links = false;
  }
  return create_exclusive(path, text);
}

bool renew_lease(const fs::path& path, const LeaseLine& line) {
  File file(path, O_RDWR);
  LeaseState state;
  if (file.is_open() && file.read(state)) {
    if (!state.is(line)) return false;
    const std::string counter = counter_text(line.counter);
    if (file.write(counter, state.content.size() - counter.size()) && file.close()) return true;
  }
  if (means_gone(errno)) return false;
  fail(path, "cannot be renewed", errno);
}

bool rename_lease(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return true;
  if (means_gone(errno)) return false;
  fail(to, "cannot be taken over", errno);
}

void remove_lease(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && !means_gone(errno)) fail(path, "cannot be removed", errno);
}

}  // namespace vsr::store
