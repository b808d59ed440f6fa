#include "vsr/cluster/far_files.hpp"

#include "message.hpp"
#include "vsr/base/crc32.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/file_bytes.hpp"
#include "vsr/base/format.hpp"
#include "vsr/cluster/cluster.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace vsr::cluster {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAskedAtOnce = 8;  // pieces under way to here
constexpr std::uint64_t kSentAtOnce = 4 * kMostPieceBytes;
constexpr std::size_t kBlocksKept = 8;  // of each open file
constexpr std::uint64_t kBlocksAhead = 4;
constexpr auto kLookForStop = std::chrono::milliseconds(100);

std::string letter(Kind kind, Parcel parcel) {
  Note note;
  note.kind = kind;
  note.parcel = std::move(parcel);
  return encode(note);
}

// What went wrong at rank 0.
void check(const Parcel& answer, const std::string& name) {
  if (answer.answer == Answer::kFailed) throw Error(answer.code, answer.bytes);
  if (answer.answer == Answer::kDiskFull) {
    throw DiskFull(format("{} cannot be written by rank 0: no room left", name));
  }
}

[[noreturn]] void refuse_torn(const std::string& name, std::uint64_t offset) {
  throw Error(ErrorCode::kCluster,
              format("{}: the piece at {} came torn twice: look at the network between this host "
                     "and rank 0's",
                     name,
                     offset));
}

}  // namespace

struct FarFiles::Impl {
  struct Request {
    Parcel asked;
    bool sent = false;
    bool answered = false;
    Parcel answer = {};

    [[nodiscard]] bool under_way() const { return sent && !answered; }
  };

  // A file that is being put.
  struct Put {
    std::uint64_t taken = 0;       // all before it has been answered
    std::optional<Parcel> answer;  // that needs to be looked at: torn, failed, published
  };

  Impl(const std::atomic<int>& stop_in, double silence_s_in)
      : stop(stop_in), silence_s(silence_s_in) {}

  template <typename Ready>
  void wait(std::unique_lock<std::mutex>& lock, const Ready& ready) {
    const Clock::time_point begin = Clock::now();
    while (!ready()) {
      if (stop.load() >= static_cast<int>(Stop::kNow)) {
        throw Error(ErrorCode::kInterrupted, "stopped");
      }
      const std::chrono::duration<double> silent = Clock::now() - std::max(begin, heard);
      if (silent.count() > silence_s) {
        throw Error(ErrorCode::kCluster,
                    format("rank 0 has been silent for {:.0f} s: look at its log and at the "
                           "network between its host and this one",
                           silence_s));
      }
      changed.wait_for(lock, kLookForStop);
    }
  }

  std::uint32_t ask(const std::string& name, std::uint64_t offset, std::uint64_t size) {
    const std::lock_guard lock(mutex);
    const std::uint32_t id = next_id++;
    requests[id].asked = {.id = id, .name = name, .offset = offset, .size = size};
    return id;
  }

  // Waits for the piece; a torn one is asked for again.
  Parcel take(std::uint32_t id) {
    std::unique_lock lock(mutex);
    for (const bool again : {false, true}) {
      Request& request = requests.at(id);
      try {
        wait(lock, [&] { return request.answered; });
      } catch (...) {
        forget(id);
        throw;
      }
      const Parcel asked = request.asked;
      Parcel answer = std::move(request.answer);
      lock.unlock();  // a while for whoever speaks
      const bool torn = answer.answer == Answer::kFine && crc32(answer.bytes) != answer.crc;
      lock.lock();
      if (torn && !again) {
        request = {.asked = asked};
        continue;
      }
      requests.erase(id);
      if (torn) refuse_torn(asked.name, asked.offset);
      check(answer, asked.name);
      return answer;
    }
    return {};
  }

  void drop(std::uint32_t id) {
    const std::lock_guard lock(mutex);
    forget(id);
  }

  // One that is under way stays until its answer comes: until then it counts.
  void forget(std::uint32_t id) {
    const auto found = requests.find(id);
    if (found == requests.end()) return;
    if (found->second.under_way()) {
      forgotten.push_back(id);
    } else {
      requests.erase(found);
    }
  }

  [[nodiscard]] std::size_t under_way() const {
    return static_cast<std::size_t>(
        std::count_if(requests.begin(), requests.end(), [](const auto& each) {
          return each.second.under_way();
        }));
  }

  void receive_bytes(Parcel& parcel) {
    const auto request = requests.find(parcel.id);
    if (request == requests.end()) return;
    const auto dropped = std::find(forgotten.begin(), forgotten.end(), parcel.id);
    if (dropped != forgotten.end()) {
      forgotten.erase(dropped);
      requests.erase(request);
      return;
    }
    request->second.answered = true;
    request->second.answer = std::move(parcel);
  }

  void receive_taken(Parcel& parcel) {
    if (!putting || parcel.id != put_id) return;
    put.taken = std::max(put.taken, parcel.offset);
    if (parcel.answer != Answer::kFine) put.answer = std::move(parcel);
  }

  // With the lock held and `putting`; holds it again unless it throws.
  void put_all(std::unique_lock<std::mutex>& lock, const FileBytes& file, const std::string& name);

  const std::atomic<int>& stop;
  const double silence_s;
  std::mutex mutex;
  std::condition_variable changed;
  // All below are guarded by mutex.
  Clock::time_point heard;
  std::uint32_t next_id = 1;
  std::map<std::uint32_t, Request> requests;  // by id, which is the order of asking
  std::vector<std::uint32_t> forgotten;       // of these, under way and not wanted any more
  bool putting = false;                       // by some thread
  std::uint32_t put_id = 0;
  Put put;
  std::deque<Parcel> to_put;
};

// --- Reading -----------------------------------------------------------------------------------

// Blocks of a file by number, the last ones used and those that are likely to come next.
class FarFiles::Source final : public ByteSource {
 public:
  Source(FarFiles::Impl& files, std::string name) : files_(files), name_(std::move(name)) {
    size_ = files_.take(files_.ask(name_, 0, 0)).size;
  }

  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  ~Source() override {
    for (const auto& [block, id] : asked_) files_.drop(id);
  }

  std::uint64_t size() const override { return size_; }

  std::size_t read(std::uint64_t offset, std::span<std::byte> into) override {
    if (offset >= size_ || into.empty()) return 0;
    const std::uint64_t number = offset / kMostPieceBytes;
    const std::string& bytes = block(number);
    const std::uint64_t at = offset - number * kMostPieceBytes;
    const std::size_t count = std::min<std::uint64_t>(into.size(), bytes.size() - at);
    std::memcpy(into.data(), bytes.data() + at, count);
    return count;
  }

 private:
  struct Block {
    std::uint64_t number;
    std::string bytes;
  };

  const std::string& block(std::uint64_t number) {
    if (!kept_.empty() && kept_.front().number == number) return kept_.front().bytes;
    // Read on and on: the next ones are asked for before this one is waited for.
    const bool goes_on = number == last_ + 1;
    last_ = number;
    ask(number);
    for (std::uint64_t ahead = 1; goes_on && ahead <= kBlocksAhead; ++ahead) ask(number + ahead);
    drop_guesses(number);
    const auto kept = find(number);
    if (kept != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, kept);
      return kept_.front().bytes;
    }
    const std::uint32_t id = asked_.at(number);
    asked_.erase(number);
    Parcel piece = files_.take(id);
    const std::uint64_t expected =
        std::min<std::uint64_t>(kMostPieceBytes, size_ - number * kMostPieceBytes);
    if (piece.size != size_ || piece.bytes.size() != expected) {
      throw Error(ErrorCode::kInput,
                  format("{}: has {} bytes, and had {} when it was opened: put the whole file back "
                         "and start again",
                         name_,
                         piece.size,
                         size_));
    }
    kept_.push_front({number, std::move(piece.bytes)});
    if (kept_.size() > kBlocksKept) kept_.pop_back();
    return kept_.front().bytes;
  }

  std::list<Block>::iterator find(std::uint64_t number) {
    return std::find_if(
        kept_.begin(), kept_.end(), [&](const Block& each) { return each.number == number; });
  }

  void ask(std::uint64_t number) {
    if (number * kMostPieceBytes >= size_ || asked_.contains(number)) return;
    if (find(number) != kept_.end()) return;
    asked_[number] = files_.ask(name_, number * kMostPieceBytes, kMostPieceBytes);
  }

  // What was asked ahead of a place that was left: not wanted, and not to be kept for ever.
  void drop_guesses(std::uint64_t number) {
    for (auto it = asked_.begin(); it != asked_.end();) {
      if (it->first >= number && it->first <= number + kBlocksAhead) {
        ++it;
        continue;
      }
      files_.drop(it->second);
      it = asked_.erase(it);
    }
  }

  FarFiles::Impl& files_;
  const std::string name_;
  std::uint64_t size_ = 0;
  std::uint64_t last_ = ~std::uint64_t{1};        // block read last; none: not before the first
  std::list<Block> kept_;                         // the last used comes first
  std::map<std::uint64_t, std::uint32_t> asked_;  // block -> request
};

FarFiles::FarFiles(const std::atomic<int>& stop, double silence_s)
    : impl_(std::make_unique<Impl>(stop, silence_s)) {}

FarFiles::~FarFiles() = default;

std::unique_ptr<ByteSource> FarFiles::open(const std::string& name) {
  return std::make_unique<Source>(*impl_, name);
}

std::string FarFiles::read(const std::string& name, std::uint64_t most_bytes) {
  const auto source = open(name);
  if (source->size() > most_bytes) {
    throw Error(ErrorCode::kStorage, format("{}: is too big: {} bytes", name, source->size()));
  }
  std::string bytes(source->size(), '\0');
  for (std::size_t at = 0; at < bytes.size();) {
    at += source->read(at, std::as_writable_bytes(std::span(bytes)).subspan(at));
  }
  return bytes;
}

// --- Putting -----------------------------------------------------------------------------------

void FarFiles::put(const std::filesystem::path& path, const std::string& name) {
  const FileBytes file = FileBytes::to_read(path);
  std::unique_lock lock(impl_->mutex);
  impl_->wait(lock, [&] { return !impl_->putting; });
  impl_->putting = true;
  // Whatever ends it, the next file may be put; pieces of this one that wait go nowhere.
  const auto end = [&] {
    impl_->to_put.clear();
    impl_->putting = false;
    impl_->changed.notify_all();
  };
  try {
    impl_->put_all(lock, file, name);
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    end();
    throw;
  }
  end();
}

void FarFiles::Impl::put_all(std::unique_lock<std::mutex>& lock,
                             const FileBytes& file,
                             const std::string& name) {
  put = {};
  put_id = next_id++;
  const std::uint64_t size = file.size();
  std::vector<std::uint32_t> crcs{0};  // of the file up to each piece
  std::uint64_t sent = 0;
  bool all = false;  // an empty file is a piece, too
  std::optional<std::uint64_t> torn;
  while (true) {
    wait(lock,
         [&] { return put.answer || (!all && sent - std::min(sent, put.taken) < kSentAtOnce); });
    if (const auto answer = std::exchange(put.answer, std::nullopt)) {
      check(*answer, name);
      if (answer->answer == Answer::kWhole) return;
      if (torn == answer->offset) refuse_torn(name, answer->offset);
      torn = sent = answer->offset;
      to_put.clear();
      all = false;
      continue;
    }
    const std::uint32_t id = put_id;
    lock.unlock();
    Parcel piece{.id = id, .name = name, .offset = sent, .size = size};
    piece.bytes = file.read(sent, kMostPieceBytes);
    piece.crc = crc32(piece.bytes);
    const std::size_t number = sent / kMostPieceBytes;
    if (crcs.size() == number + 1) crcs.push_back(crc32(piece.bytes, crcs.back()));
    piece.whole = crcs[number + 1];
    if (piece.bytes.size() != std::min<std::uint64_t>(kMostPieceBytes, size - sent)) {
      throw Error(ErrorCode::kStorage, format("{}: became shorter while it was put", name));
    }
    sent += piece.bytes.size();
    all = sent == size;
    lock.lock();
    to_put.push_back(std::move(piece));
  }
}

// --- Speaking ----------------------------------------------------------------------------------

bool FarFiles::receive(Note& note) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->heard = Clock::now();
    if (note.kind == Kind::kBytes) impl_->receive_bytes(note.parcel);
    if (note.kind == Kind::kTaken) impl_->receive_taken(note.parcel);
  }
  impl_->changed.notify_all();
  return is_of_files(note.kind);
}

bool FarFiles::speak(Communicator& communicator) {
  std::vector<std::string> messages;
  bool any = false;
  {
    const std::lock_guard lock(impl_->mutex);
    for (; !impl_->to_put.empty(); impl_->to_put.pop_front()) {
      messages.push_back(letter(Kind::kPut, std::move(impl_->to_put.front())));
    }
    std::size_t under_way = impl_->under_way();
    for (auto& [id, request] : impl_->requests) {
      if (under_way == kAskedAtOnce) break;
      if (request.sent) continue;
      request.sent = true;
      ++under_way;
      messages.push_back(letter(Kind::kFetch, request.asked));
    }
    any = under_way > 0 || impl_->putting;
  }
  for (std::string& message : messages) communicator.send(0, std::move(message));
  return any;
}

}  // namespace vsr::cluster
