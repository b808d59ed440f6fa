// Whether a run directory keeps its promises: what is synced stays, a rename is whole, a file
// created with O_EXCL has one maker.
#include "doctor/checks.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <future>
#include <random>
#include <system_error>

namespace vsr::launcher::doctor {

namespace fs = std::filesystem;

namespace {

constexpr int kClaims = 64;
constexpr std::uint64_t kMostProbe_bytes = 256'000'000;
constexpr std::uint64_t kFile_bytes = 8'000'000;  // so that 2 s stay about 2 s
constexpr std::uint64_t kSmallest_bytes = 4096;
constexpr double kMostProbe_s = 2;
// The network makes some 40 MB/s of mezzanines with a small GPU, several times that with a large.
constexpr double kSlowDisk_mb_s = 50;
constexpr double kLittleSpace_bytes = 20e9;
constexpr double kNoSpace_bytes = 256e6;
constexpr double kMostSkew_s = 1;

[[noreturn]] void fail(const fs::path& path, const char* doing) {
  throw Error(ErrorCode::kStorage,
              format("{}: {}: {}", path.string(), doing, std::strerror(errno)));
}

// What no file system can pack.
std::string noise(std::uint64_t bytes) {
  std::mt19937 random(1);
  std::string block(bytes, '\0');
  std::generate(block.begin(), block.end(), [&] { return static_cast<char>(random()); });
  return block;
}

}  // namespace

Scratch::Scratch(const fs::path& directory) {
  std::error_code error;
  for (fs::path part = directory; !fs::exists(part, error) && part.has_relative_path();
       part = part.parent_path()) {
    made_.push_back(part);
  }
  std::string name = (directory / ".vsr-doctor-XXXXXX").string();
  try {
    make_directories(directory);
    if (::mkdtemp(name.data()) == nullptr) fail(directory, "cannot be written");
  } catch (...) {
    for (const fs::path& made : made_) ::rmdir(made.c_str());
    throw;
  }
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) log::warning("launcher", "{} is left behind: {}", path_.string(), error.message());
  for (const fs::path& made : made_) ::rmdir(made.c_str());
}

Check check_commits(const fs::path& folder) {
  const std::uint64_t most = std::min(kMostProbe_bytes, free_bytes(folder) / 4);
  const std::string block = noise(std::clamp(most, kSmallest_bytes, kFile_bytes));
  std::uint64_t files = 0;
  double seconds = 0;
  const auto name = [&](std::uint64_t file) { return folder / format("commit-{}", file); };
  const auto begin = std::chrono::steady_clock::now();
  do {
    write_file(name(files++), block);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  } while ((files + 1) * block.size() <= most && seconds < kMostProbe_s);
  const bool whole = read_file(name(0)) == block;
  for (std::uint64_t file = 0; file < files; ++file) fs::remove(name(file));
  if (!whole) {
    return failure("commits",
                   ErrorCode::kStorage,
                   "what was written and synced is not what is read",
                   "do not use this volume: give a run.dir on another one");
  }
  const auto bytes = static_cast<double>(files * block.size());
  const double rate = bytes / 1e6 / seconds;
  return unless(rate >= kSlowDisk_mb_s,
                warning("commits",
                        format("{:.0f} MB/s ({} written, synced and renamed in {:.2f} s)",
                               rate,
                               size_text(bytes),
                               seconds),
                        "give a run.dir on a faster volume, or set segment.codec = none: the "
                        "network may have to wait for the disk"));
}

Check check_space(std::uint64_t free_bytes) {
  const auto free = static_cast<double>(free_bytes);
  const std::string seen = size_text(free) + " free by the file system, a quota may leave less";
  const std::string advice =
      "make room or give another run.dir; --dry-run tells what the job's film takes";
  if (free < kNoSpace_bytes) return failure("space", ErrorCode::kStorage, seen, advice);
  return unless(free >= kLittleSpace_bytes, warning("space", seen, advice));
}

double clock_offset_s(const fs::path& folder) {
  const auto now_s = [] {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
  };
  const fs::path path = folder / "clock";
  const double before_s = now_s();
  write_file(path, "now");
  const double after_s = now_s();

  struct stat status {};

  if (::stat(path.c_str(), &status) != 0) fail(path, "cannot be asked for its time");
  fs::remove(path);
  const double time_s = static_cast<double>(status.st_mtim.tv_sec) +
                        1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
  return (before_s + after_s) / 2 - time_s;
}

Check check_clock(double offset_s) {
  const std::string seen = format(
      "{:.3f} s {} the file server's", std::abs(offset_s), offset_s < 0 ? "behind" : "ahead of");
  return unless(std::abs(offset_s) <= kMostSkew_s,
                warning("clock", seen, "set this host's clock (chrony, NTP)"));
}

std::string claim_all(const fs::path& folder) {
  std::string won;
  for (int i = 0; i < kClaims; ++i) {
    const fs::path path = folder / format("claim-{}", i);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno != EEXIST) fail(path, "cannot be created");
    if (fd >= 0) ::close(fd);
    won += fd >= 0 ? '1' : '0';
  }
  return won;
}

Check check_claims(const std::string& name, const std::vector<std::string>& won) {
  int right = 0;
  for (std::size_t i = 0; i < kClaims; ++i) {
    const auto makers = std::count_if(won.begin(), won.end(), [&](const std::string& of_one) {
      return i < of_one.size() && of_one[i] == '1';
    });
    right += makers == 1 ? 1 : 0;
  }
  return unless(
      right == kClaims,
      failure(name,
              ErrorCode::kStorage,
              format("{} of {} files created with O_EXCL had just one maker", right, kClaims),
              "give a run.dir on another volume, that all hosts have"));
}

Check check_threads_claims(const fs::path& folder) {
  auto other = std::async(std::launch::async, claim_all, folder);
  const std::string own = claim_all(folder);
  return check_claims("claims", {own, other.get()});
}

}  // namespace vsr::launcher::doctor
