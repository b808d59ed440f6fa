#include "vsr/cluster/file_service.hpp"

#include "message.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/crc32.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/file_bytes.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace vsr::cluster {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

struct Letter {
  int rank = 0;  // whom it is from, or to
  Note note;
};

// Letters for a thread. Its length is bounded by those who write: they wait for answers.
class Mailbox {
 public:
  void push(Letter letter) {
    {
      const std::lock_guard lock(mutex_);
      letters_.push_back(std::move(letter));
    }
    filled_.notify_one();
  }

  // Waits; nothing when it is closed, whatever is inside.
  std::optional<Letter> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || !letters_.empty(); });
    return closed_ ? std::nullopt : take();
  }

  std::optional<Letter> pop_if_any() {
    const std::lock_guard lock(mutex_);
    return letters_.empty() ? std::nullopt : take();
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    filled_.notify_all();
  }

 private:
  std::optional<Letter> take() {
    std::optional<Letter> first(std::move(letters_.front()));
    letters_.pop_front();
    return first;
  }

  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Letter> letters_;  // guarded by mutex_
  bool closed_ = false;         // guarded by mutex_
};

// The answer to what was asked, by whatever `work` makes of it or throws.
template <typename Work>
Letter answered(const Letter& letter, Kind kind, const Work& work) {
  const Parcel& asked = letter.note.parcel;
  Letter answer{letter.rank, {.kind = kind}};
  Parcel& parcel = answer.note.parcel;
  parcel.id = asked.id;
  parcel.offset = asked.offset;
  const auto failed = [&](Answer how, ErrorCode code, const std::string& what) {
    log::debug("cluster", "rank {} asked for {}: {}", letter.rank, asked.name, what);
    parcel.answer = how;
    parcel.code = code;
    parcel.bytes = what;
  };
  try {
    work(parcel);
  } catch (const DiskFull& error) {
    failed(Answer::kDiskFull, error.code(), error.what());
  } catch (const Error& error) {
    failed(Answer::kFailed, error.code(), error.what());
  } catch (const std::exception& error) {
    failed(Answer::kFailed, ErrorCode::kInternal, error.what());
  }
  return answer;
}

// A file that comes from a rank.
struct Arrival {
  std::uint32_t id = 0;
  std::string name;
  fs::path path;
  std::optional<FileBytes> part;  // closed once it is over, well or not
  std::uint64_t taken = 0;        // bytes
  std::uint32_t crc = 0;          // of these

  void give_up() {
    if (!part) return;
    part.reset();
    std::error_code error;  // what is left will be overwritten
    fs::remove(part_name(path), error);
  }
};

}  // namespace

struct FileService::Impl {
  Impl(ServedFiles served, double say_every_s_in)
      : files(std::move(served)), say_every_s(say_every_s_in) {}

  void read_all() {
    while (const auto letter = to_read.pop()) answers.push(read(*letter));
  }

  void write_all() {
    while (const auto letter = to_write.pop()) answers.push(write(*letter));
  }

  Letter read(const Letter& letter) const {
    return answered(letter, Kind::kBytes, [&](Parcel& parcel) {
      const Parcel& asked = letter.note.parcel;
      const FileBytes file = FileBytes::to_read(files.to_read(asked.name));
      parcel.size = file.size();
      parcel.bytes = file.read(asked.offset, std::min(asked.size, kMostPieceBytes));
      parcel.crc = crc32(parcel.bytes);
    });
  }

  Letter write(const Letter& letter) {
    return answered(letter, Kind::kTaken, [&](Parcel& parcel) {
      Arrival& arrival = arrival_of(letter);
      try {
        take(letter.note.parcel, arrival, parcel);
      } catch (...) {
        arrival.give_up();
        throw;
      }
      parcel.offset = arrival.taken;
    });
  }

  // A rank sends one file after the other.
  Arrival& arrival_of(const Letter& letter) {
    const Parcel& sent = letter.note.parcel;
    Arrival& arrival = arrivals[letter.rank];
    if (arrival.part && arrival.id == sent.id) return arrival;
    if (arrival.id == sent.id && arrival.name == sent.name)
      return arrival;  // pieces behind its end
    arrival.give_up();
    arrival = {.id = sent.id, .name = sent.name, .path = files.to_write(sent.name)};
    for (auto& [rank, other] : arrivals) {
      // What a rank had begun that hangs, or gave up: the part file has one writer.
      if (rank != letter.rank && other.path == arrival.path) other.give_up();
    }
    arrival.part = FileBytes::to_write(part_name(arrival.path));
    return arrival;
  }

  void take(const Parcel& sent, Arrival& arrival, Parcel& answer) const {
    if (!arrival.part) {
      throw Error(ErrorCode::kCluster, format("{}: is not taken any more", sent.name));
    }
    if (sent.offset != arrival.taken) return;  // was sent before its rank knew of a torn one
    if (crc32(sent.bytes) != sent.crc) {
      log::warning("cluster", "{}: a piece at {} came torn", sent.name, sent.offset);
      answer.answer = Answer::kAgain;
      return;
    }
    arrival.part->write(sent.bytes);
    arrival.crc = crc32(sent.bytes, arrival.crc);
    arrival.taken += sent.bytes.size();
    if (arrival.taken < sent.size) return;
    if (arrival.taken != sent.size || arrival.crc != sent.whole) {
      throw Error(ErrorCode::kCluster, format("{}: came otherwise than it was sent", sent.name));
    }
    arrival.part->close();
    publish(arrival.path);
    arrival.part.reset();
    files.written(sent.name);
    answer.answer = Answer::kWhole;
  }

  struct Owed {
    int answers = 0;
    Clock::time_point said;  // anything, or since it owes
  };

  const ServedFiles files;
  const double say_every_s;
  std::map<int, Arrival> arrivals;  // by rank; the writing thread's
  std::map<int, Owed> owed;         // by rank; the speaking thread's
  Mailbox to_read;
  Mailbox to_write;
  Mailbox answers;
  std::thread reader{[this] { read_all(); }};  // last: they use all of it
  std::thread writer{[this] { write_all(); }};
};

FileService::FileService(ServedFiles files, double say_every_s)
    : impl_(std::make_unique<Impl>(std::move(files), say_every_s)) {}

FileService::~FileService() {
  impl_->to_read.close();
  impl_->to_write.close();
  impl_->reader.join();
  impl_->writer.join();
  for (auto& [rank, arrival] : impl_->arrivals) arrival.give_up();
}

void FileService::receive(int from, Note note) {
  Impl::Owed& owed = impl_->owed[from];
  if (owed.answers++ == 0) owed.said = Clock::now();
  (note.kind == Kind::kFetch ? impl_->to_read : impl_->to_write).push({from, std::move(note)});
}

bool FileService::speak(Communicator& communicator) {
  const Clock::time_point now = Clock::now();
  while (const auto answer = impl_->answers.pop_if_any()) {
    communicator.send(answer->rank, encode(answer->note));
    Impl::Owed& owed = impl_->owed[answer->rank];
    --owed.answers;
    owed.said = now;
  }
  bool any = false;
  for (auto& [rank, owed] : impl_->owed) {
    if (owed.answers == 0) continue;
    any = true;
    if (std::chrono::duration<double>(now - owed.said).count() < impl_->say_every_s) continue;
    communicator.send(rank, encode({.kind = Kind::kAlive}));
    owed.said = now;
  }
  return any;
}

}  // namespace vsr::cluster
