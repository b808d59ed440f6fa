#include "vsr/store/run_directory.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/number.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <regex>
#include <thread>

namespace vsr::store {

namespace fs = std::filesystem;

namespace {

const char* folder_of(Piece piece) { return piece == Piece::kChunk ? "chunks" : "segments"; }

constexpr const char* kMaking = "making-";
constexpr const char* kStatus = "status";
constexpr const char* kLock = "lock";  // there from the start of a run on

// Of a file, or of the files of a folder (PNG mezzanines). Nothing if it is not there.
std::optional<std::uint64_t> bytes_of(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    std::uint64_t bytes = 0;
    for (auto entry = fs::directory_iterator(path, error);
         !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      bytes += entry->file_size(error);
      if (error) return std::nullopt;
    }
    if (error) return std::nullopt;
    return bytes;
  }
  const std::uint64_t bytes = fs::file_size(path, error);
  if (error) return std::nullopt;
  return bytes;
}

// What no other attempt has.
std::string random_tag() {
  std::random_device random;
  return format("{:08x}", random() & 0xffffffffU);
}

// "0007-..." is an attempt's at segment 7. A record must not lead elsewhere.
bool is_file_of(int segment, const std::string& name) {
  const std::string start = segment_name(segment) + "-";
  return name.rfind(start, 0) == 0 && name.find('/') == std::string::npos;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  const bool found = fs::exists(path, error);
  if (error) {
    throw Error(ErrorCode::kStorage,
                format("{}: cannot be looked at: {}", path.string(), error.message()));
  }
  return found;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder, error);
       !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    paths.push_back(entry->path());
  }
  if (error) {
    throw Error(ErrorCode::kStorage,
                format("{}: cannot be read: {}", folder.string(), error.message()));
  }
  return paths;
}

void remove_whole(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) {
    throw Error(ErrorCode::kStorage,
                format("{}: cannot be removed: {}", path.string(), error.message()));
  }
}

}  // namespace

std::string segment_name(int segment) { return format("{:04d}", segment); }

std::optional<int> parse_segment_name(const std::string& name) {
  const auto number = parse_number<int>(name);
  if (!number || *number < 0 || segment_name(*number) != name) return std::nullopt;
  return number;
}

std::optional<PieceFile> parse_piece_file(const std::string& name) {
  static const std::regex form("(segments|chunks)/([0-9]+)(-[0-9a-f]{8}\\.[0-9a-z]+)?(\\.h5)?");
  std::smatch parts;
  if (!std::regex_match(name, parts, form)) return std::nullopt;
  const auto segment = parse_segment_name(parts[2]);
  const bool names_a_file = parts[3].matched || parts[4].matched;
  if (!segment || !names_a_file) return std::nullopt;
  return PieceFile{.piece = parts[1] == "chunks" ? Piece::kChunk : Piece::kSegment,
                   .segment = *segment,
                   .is_record = parts[4].matched,
                   .is_attempt = parts[3].matched};
}

RunDirectory::RunDirectory(fs::path root) : root_(std::move(root)) {
  for (const char* folder : {"segments", "chunks", "final", "log"})
    make_directories(root_ / folder);
}

bool RunDirectory::is_at(const fs::path& root) {
  std::error_code error;
  return fs::exists(root / kLock, error);
}

std::optional<RunDirectory> RunDirectory::find(const fs::path& root) {
  if (!is_at(root)) return std::nullopt;
  RunDirectory run;
  run.root_ = root;
  return run;
}

fs::path RunDirectory::plan_file() const { return root_ / "plan.h5"; }

fs::path RunDirectory::lock_file() const { return root_ / kLock; }

fs::path RunDirectory::job_file() const { return root_ / "job.ini"; }

fs::path RunDirectory::new_file(int segment, const std::string& extension, Piece piece) const {
  return root_ / folder_of(piece) /
         format("{}-{}{}", segment_name(segment), random_tag(), extension);
}

fs::path RunDirectory::file_of(const Record& record, Piece piece) const {
  return root_ / folder_of(piece) / record.file;
}

fs::path RunDirectory::record_file(int segment, Piece piece) const {
  return root_ / folder_of(piece) / (segment_name(segment) + ".h5");
}

fs::path RunDirectory::timeline_mezzanine() const { return root_ / "timeline.mkv"; }

fs::path RunDirectory::final_dir() const { return root_ / "final"; }

fs::path RunDirectory::new_final_folder() const {
  const fs::path folder = final_dir() / (kMaking + random_tag());
  make_directories(folder);
  return folder;
}

void RunDirectory::sweep_final() const {
  for (const fs::path& path : entries(final_dir())) {
    if (path.filename().string().rfind(kMaking, 0) == 0) remove_whole(path);
  }
}

fs::path RunDirectory::final_stamp() const { return root_ / "final" / "made-from.txt"; }

std::vector<fs::path> RunDirectory::films() const {
  std::vector<fs::path> paths;
  if (!is_there(final_stamp())) return paths;
  for (const fs::path& path : entries(final_dir())) {
    const std::string name = path.filename().string();
    if (path != final_stamp() && name.rfind(kMaking, 0) != 0 && path.extension() != ".part") {
      paths.push_back(path);
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

fs::path RunDirectory::log_file(int rank, const std::string& job) const {
  return root_ / "log" / format("{}{}rank-{}.log", job, job.empty() ? "" : "-", rank);
}

fs::path RunDirectory::run_file() const { return root_ / "run.h5"; }

fs::path RunDirectory::report_file() const { return root_ / "report" / "index.html"; }

fs::path RunDirectory::start_file(const std::string& name) const {
  return root_ / "starts" / (name + ".json");
}

std::vector<std::string> RunDirectory::starts() const {
  std::vector<std::string> names;
  std::error_code error;
  const fs::path folder = start_file("").parent_path();
  if (!fs::exists(folder, error)) return names;  // of a run by an older program
  for (const fs::path& path : entries(folder)) {
    if (path.extension() == ".json") names.push_back(path.stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void RunDirectory::write_for_people(const fs::path& file,
                                    const std::string& content,
                                    const std::string& writer) const {
  make_directories(file.parent_path());
  write_file(
      file, content, file.parent_path() / format("{}.{}.part", file.filename().string(), writer));
}

void RunDirectory::sweep_for_people() const {
  for (const fs::path& file : {run_file(), report_file(), start_file("any")}) {
    std::error_code error;
    if (!fs::exists(file.parent_path(), error)) continue;
    for (const fs::path& path : entries(file.parent_path())) {
      const bool ours = path.parent_path() != root_ ||
                        path.filename().string().rfind(run_file().filename().string(), 0) == 0;
      if (ours && path.extension() == ".part") remove_whole(path);
    }
  }
}

fs::path RunDirectory::leases_dir() const { return root_ / "leases"; }

fs::path RunDirectory::status_file(const std::string& job) const {
  return root_ / kStatus / (job + ".json");
}

std::vector<std::string> RunDirectory::jobs_with_status() const {
  std::vector<std::string> jobs;
  if (!is_there(root_ / kStatus)) return jobs;
  for (const fs::path& path : entries(root_ / kStatus)) {
    if (path.extension() == ".json") jobs.push_back(path.stem().string());
  }
  std::sort(jobs.begin(), jobs.end());
  return jobs;
}

std::optional<Plan> RunDirectory::read_plan() const {
  if (!is_there(plan_file())) return std::nullopt;
  const std::string bytes = read_file(plan_file(), std::uint64_t{1} << 30);
  try {
    return decode_plan(bytes);
  } catch (const Error& error) {
    throw Error(error.code(),
                format("{}: {}; --fresh starts over", plan_file().string(), error.what()));
  }
}

void RunDirectory::write_plan(const Plan& plan) const {
  write_file(plan_file(), encode_plan(plan));
}

bool RunDirectory::commit(const Plan& plan, const Record& record, Piece piece) const {
  if (committed(plan, record.segment, nullptr, piece)) {
    discard_file(record, piece);
    return false;
  }
  write_file(record_file(record.segment.index, piece),
             encode_record(record),
             file_of(record, piece) += ".h5.part");
  sweep(record.segment.index, record.file, piece);
  return true;
}

std::optional<Record> RunDirectory::recorded(const Plan& plan,
                                             const Segment& segment,
                                             std::string* why_not,
                                             Piece piece) const {
  const auto no = [&](const std::string& why) -> std::optional<Record> {
    if (why_not != nullptr) *why_not = why;
    return std::nullopt;
  };
  const fs::path file = record_file(segment.index, piece);
  if (!is_there(file)) return no("");
  Record record;
  try {
    record = decode_record(read_file(file));
  } catch (const Error& error) {
    return no(format("its record cannot be used ({})", error.what()));
  }
  if (record.plan_fingerprint != plan.fingerprint())
    return no("its record is of another plan, or of other settings");
  if (!(record.segment == segment) || record.frames != plan.held(segment).size() ||
      record.checksums.size() != static_cast<std::size_t>(record.frames)) {
    return no("its record speaks of another segment");
  }
  if (!is_file_of(segment.index, record.file)) return no("its record names a file not its own");
  return record;
}

std::optional<Record> RunDirectory::committed(const Plan& plan,
                                              const Segment& segment,
                                              std::string* why_not,
                                              Piece piece) const {
  auto record = recorded(plan, segment, why_not, piece);
  if (!record) return std::nullopt;
  const auto bytes = bytes_of(file_of(*record, piece));
  if (bytes == record->bytes) return record;
  if (why_not != nullptr) {
    const char* const what = piece == Piece::kChunk ? "chunk" : "mezzanine";
    *why_not = bytes
                   ? format("its {} has {} bytes, its record says {}", what, *bytes, record->bytes)
                   : format("its {} is gone", what);
  }
  return std::nullopt;
}

std::optional<Preview> RunDirectory::preview(int segment, const std::string& kind) const {
  const fs::path file = record_file(segment);
  if (!is_there(file)) return std::nullopt;
  return read_preview(read_file(file), kind);
}

std::vector<int> RunDirectory::recorded_segments(Piece piece) const {
  std::vector<int> segments;
  for (const fs::path& path : entries(root_ / folder_of(piece))) {
    if (path.extension() != ".h5") continue;
    if (const auto segment = parse_segment_name(path.stem().string())) segments.push_back(*segment);
  }
  std::sort(segments.begin(), segments.end());
  return segments;
}

void RunDirectory::discard_file(const Record& record, Piece piece) const {
  remove_whole(file_of(record, piece));
}

void RunDirectory::discard(int segment, Piece piece) const {
  remove_file(record_file(segment, piece));
  sweep(segment, "", piece);
}

void RunDirectory::sweep(int segment, const std::string& keep, Piece piece) const {
  for (const fs::path& path : entries(root_ / folder_of(piece))) {
    const std::string name = path.filename().string();
    if (is_file_of(segment, name) && name != keep) remove_whole(path);
  }
}

// Note [Two jobs at one instant]
// Whether nobody else holds the lock is found out by holding it alone for an instant, in which
// another job that begins is refused, and giving that up for a share is no single step either. So
// who wants a share tries for a while.
RunLock::RunLock(const RunDirectory& directory, Hold hold) {
  const fs::path path = directory.lock_file();
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) {
    throw Error(ErrorCode::kStorage, format("{}: {}", path.string(), std::strerror(errno)));
  }
  was_alone_ = ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
  bool held = was_alone_;
  if (hold == Hold::kTogether) {
    constexpr int kTries = 40;
    constexpr auto kPause = std::chrono::milliseconds(50);
    held = ::flock(fd_, LOCK_SH | LOCK_NB) == 0;
    for (int i = 0; i < kTries && !held && errno == EWOULDBLOCK; ++i) {
      std::this_thread::sleep_for(kPause);
      held = ::flock(fd_, LOCK_SH | LOCK_NB) == 0;
    }
  }
  if (!held) {
    const int error = errno;
    std::array<char, 256> holder{};
    const ssize_t got = ::pread(fd_, holder.data(), holder.size() - 1, 0);
    ::close(fd_);
    // A file system without flock cannot tell; the leases can.
    if (error == ENOTSUP || error == ENOLCK || error == ENOSYS) {
      fd_ = -1;
      return;
    }
    std::string who(holder.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!who.empty() && who.back() == '\n') who.pop_back();
    throw Error(ErrorCode::kStorage,
                format("{}: another vsr-dist works in this run directory ({}); wait for it, or "
                       "give another --run.dir",
                       directory.root().string(),
                       who.empty() ? "unknown" : who));
  }
}

void RunLock::sign() const {
  if (fd_ < 0) return;
  const std::string text = format("process {} on {}\n", ::getpid(), host_name());
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, text.data(), text.size(), 0) < 0) {
    // The lock holds without the note.
  }
}

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace vsr::store
