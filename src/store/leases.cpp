// Note [Stale]
// Hosts' clocks disagree, and a file's times are stamped by the server, or by whichever client the
// server believes. So no time of a file is ever compared with a clock, nor with a time of another
// file. A lease is stale when whoever wants it has looked several times over `stale_after` of his
// own monotonic clock and has found the same content and the same time of change each time. An
// owner that lives counts up in his file's last digits, so even a server whose times stand still
// shows him alive; a clock that is wrong by hours changes nothing on either side. The price: the
// watch begins at the first look, so a lease left behind is had `stale_after` after one began to
// want it, not after it was left.
//
// A probe file touched by the observer, whose time of change is compared to the lease's, would tell
// at the first look. It needs every client to leave stamping to the server, which NFS clients that
// hold a delegation do not, nor many a FUSE file system.
//
// Between two looks at most half of `stale_after` counts, however much passed: a server that was
// away for ten minutes kept everyone from renewing, and an observer that was stopped has not
// watched. So it takes three looks, and an owner has half of `stale_after` after such a pause. Time
// spent within a look does not count.
//
// A lease is stale at once when its process is known to be dead (process.hpp): of this boot of this
// kernel and this PID namespace, so that one host name for two machines misleads nobody.
//
// Note [Takeover]
// Every file has an id of 64 random bits that no other file ever has, and is made whole: written
// under a private name, then linked to its own, which fails when that is there. What must not
// happen: a stale lease S is seen by A and B; A replaces it by his own; B, who knows S only from
// before, replaces A's. Renaming S away first and looking at what one has got does not help: in the
// time it takes to put back what was not S, a third finds nothing there and makes his own.
//
// So whoever wants to replace or remove the file with id S first makes the file S.claim, with his
// own line in it. One can; it is the right to change what lies under the lease's name, as long as S
// lies there. Then he looks again, and
//   - finds S, unchanged: he renames S.claim over the lease. In one step the lease is his and the
//     claim is gone; the name is at no time free.
//   - finds anything else: he removes S.claim, and has to begin anew.
// Whose id is in the lease's file when all is done has the lease; that is what decides, not how the
// steps went. A claim whose maker died is a file with an owner like a lease, and is replaced in the
// same way: by a claim on the claim.
//
// The interleavings, A and B both wanting S:
//   1. Both make S.claim: link(2) lets one. The other one is told that it is held.
//   2. B makes S.claim after A's rename took it away: B looks again, finds A's file, gives up.
//   3. S's owner was only slow and renews before A's second look: A finds S changed, gives up.
//   4. He renews after that look: he counted up in a file that then lost its name, and learns it
//      from the next renewal, which opens the lease's file by name and finds another id. What he
//      writes goes to the file whose id he has read through the same descriptor: he can never write
//      into another's, nor bring his own back.
//   5. He releases at the same time: he too needs S.claim, finds it made, and leaves the lease to
//   A.
//      Or he has it first, then A is told that it is held.
//   6. S was released and a third made his own lease T: A looks again, finds T, gives up.
//   7. A is killed before his rename: S.claim stays. Who watches S watches it too; when it has been
//      the same for `stale_after`, B replaces it by way of A.claim. Killed between link and unlink
//      of the private name: a second name of the lease, which is removed when that is old.
//   8. A does not die but sleeps before his rename for longer than `stale_after`, and B replaces
//      S.claim. Now there are B's line in S.claim and two who would rename it. Whoever does puts
//      *B's* line in place. A finds B's id and is told so; B finds his own.
//   9. A sleeps there until B is through: his rename finds no S.claim and does nothing.
//  10. A sleeps there, B has replaced S and gone on, and C, who also slept since seeing S stale,
//      makes S.claim anew: A's rename puts C's line over B's lease before C's second look would
//      have withdrawn it. C has the lease, B learns it from renew(). The same is open to an owner
//      who sleeps so within his release(). These need a sleep of more than `stale_after` between
//      two system calls, and cost work, nothing else.
// Without link(2) a file is made by O_EXCL and is empty for an instant; who sees it finds no id in
// it and treats it as any damaged file: held, and stale when it stays so.
#include "vsr/store/leases.hpp"

#include "lease_file.hpp"
#include "process.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/printable.hpp"
#include "vsr/base/sha256.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace vsr::store {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr const char* kLease = ".lease";
constexpr const char* kClaim = ".claim";
constexpr const char* kPart = ".part";

// Of an attempt to take, each of which meets another change of the file by somebody else.
constexpr int kMostAttempts = 16;
// Of claims on claims, each of which one crash leaves. More are somebody's forgery, such as a claim
// on itself; once old, they are swept away like any other.
constexpr int kMostClaims = 8;

bool is_lease_name(const std::string& name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), good);
}

// A host may be called anything; this is its name within a line.
std::string host_word() {
  std::string name = host_name().substr(0, 100);
  for (char& c : name) {
    if (!is_lease_word(std::string(1, c))) c = '_';
  }
  return name.empty() ? "unknown" : name;
}

}  // namespace

class Leases::Implementation {
 public:
  Implementation(fs::path folder, std::string owner, LeaseSettings settings)
      : folder_(std::move(folder)), owner_(std::move(owner)), settings_(std::move(settings)) {
    if (!is_lease_word(owner_)) {
      throw Error(ErrorCode::kInternal, format("\"{}\" cannot own a lease", printable(owner_)));
    }
    make_directories(folder_);
  }

  Taking take(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const fs::path path = path_of(name);
    const auto held = held_.find(name);
    if (held != held_.end() && !held->second.lost) return {.taken = true, .holder = {}};
    const LeaseLine line{owner_, host_, process_, random_id(), 0};
    const auto other = put(path, line);
    if (other) return {.taken = false, .holder = describe(name, *other)};
    held_.insert_or_assign(name, Held{line, false});
    return {.taken = true, .holder = {}};
  }

  std::vector<std::string> renew() {
    const std::lock_guard lock(mutex_);
    std::exception_ptr failed;
    for (auto& [name, held] : held_) {
      if (held.lost) continue;
      ++held.line.counter;
      try {
        held.lost = !renew_lease(path_of(name), held.line);
      } catch (const Error&) {
        if (!failed) failed = std::current_exception();
      }
    }
    if (failed) std::rethrow_exception(failed);
    std::vector<std::string> lost;
    for (const auto& [name, held] : held_) {
      if (held.lost) lost.push_back(name);
    }
    for (const std::string& name : lost) held_.erase(name);
    try {
      sweep();
    } catch (const Error& error) {
      log::warning("store", "{}", error.what());
    }
    return lost;
  }

  bool release(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const fs::path path = path_of(name);
    const auto found = held_.find(name);
    if (found == held_.end()) return false;
    const LeaseLine line = found->second.line;
    held_.erase(found);
    return remove(path, line);
  }

  void release_all() noexcept {
    if (::getpid() != process_.pid) return;  // a fork, in which nothing of this is ours
    while (!held_.empty()) {
      const auto held = held_.extract(held_.begin());
      try {
        remove(path_of(held.key()), held.mapped().line);
      } catch (const std::exception& error) {
        log::warning("store", "{}", error.what());
      }
    }
  }

  std::vector<Lease> list() {
    const std::lock_guard lock(mutex_);
    std::vector<Lease> leases;
    for (const fs::path& path : files()) {
      if (path.extension() != kLease || !is_lease_name(path.stem().string())) continue;
      if (const auto state = look(path)) leases.push_back(describe(path.stem().string(), *state));
    }
    std::sort(leases.begin(), leases.end(), [](const Lease& a, const Lease& b) {
      return a.name < b.name;
    });
    return leases;
  }

 private:
  struct Held {
    LeaseLine line;
    bool lost;  // and not yet told
  };

  struct Watched {
    LeaseState state;
    steady_clock::time_point looked;
    steady_clock::duration unchanged{0};
  };

  fs::path path_of(const std::string& name) const {
    if (!is_lease_name(name)) {
      throw Error(ErrorCode::kInternal, format("\"{}\" cannot name a lease", printable(name)));
    }
    return folder_ / (name + kLease);
  }

  // Damaged files have no id; the next such file of the same name is then taken for this one, which
  // the second look of a takeover tells apart by its time of change.
  fs::path claim_on(const fs::path& path, const LeaseState& state) const {
    if (state.line) return folder_ / (state.line->id + kClaim);
    return folder_ /
           (sha256_of(path.filename().string() + "\n" + state.content).substr(0, 16) + kClaim);
  }

  // Reads a file and keeps watch over it: Note [Stale].
  std::optional<LeaseState> look(const fs::path& path) {
    const auto before = settings_.now();
    const auto state = read_lease(path);
    if (!state) {
      watched_.erase(path);
      return state;
    }
    const auto [entry, is_first] = watched_.try_emplace(path);
    Watched& watched = entry->second;
    if (!is_first && watched.state == *state) {
      watched.unchanged +=
          std::min<steady_clock::duration>(before - watched.looked, settings_.stale_after / 2);
    } else {
      watched.unchanged = steady_clock::duration{0};
    }
    watched.state = *state;
    watched.looked = settings_.now();
    return state;
  }

  milliseconds unchanged(const fs::path& path) const {
    const auto found = watched_.find(path);
    if (found == watched_.end()) return milliseconds{0};
    return std::chrono::duration_cast<milliseconds>(found->second.unchanged);
  }

  // Of a file that was just looked at and that we do not hold.
  bool is_stale(const fs::path& path, const LeaseState& state) const {
    if (unchanged(path) >= settings_.stale_after) return true;
    if (!state.line) return false;
    // Ours and not held: left by a failure between the steps of a takeover.
    if (state.line->owner == owner_) return true;
    return settings_.judge_processes && is_dead(state.line->process);
  }

  // Puts `line` at `path`, a lease's or a claim's. Nothing when it is there now, else what is there
  // instead, or was at last. Note [Takeover].
  std::optional<LeaseState> put(const fs::path& path, const LeaseLine& line, int claims = 0) {
    LeaseState last;
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      auto there = look(path);
      if (!there) {
        if (create_lease(path, line, settings_.hard_links)) return std::nullopt;
        continue;
      }
      if (there->is(line)) return std::nullopt;
      last = *there;
      const fs::path claim = claim_on(path, *there);
      if (!is_stale(path, *there) || claims == kMostClaims) {
        look(claim);  // one that a crash left is watched as long as the lease
        return there;
      }
      if (auto other = put(claim, line, claims + 1)) return other;
      if (look(path) == there) {
        rename_lease(claim, path);
      } else {
        remove_lease(claim);
      }
    }
    return last;
  }

  // Whether it was there to be removed.
  bool remove(const fs::path& path, const LeaseLine& line) {
    const auto there = read_lease(path);
    if (!there || !there->is(line)) return false;
    const fs::path claim = claim_on(path, *there);
    LeaseLine claimed = line;
    claimed.id = random_id();  // every file's own: with the lease's the claim would claim itself
    if (!create_lease(claim, claimed, settings_.hard_links)) return false;
    const auto still = read_lease(path);
    const bool ours = still && still->is(line);
    if (ours) remove_lease(path);
    remove_lease(claim);
    return ours;
  }

  Lease describe(const std::string& name, const LeaseState& state) const {
    Lease lease;
    lease.name = name;
    lease.owner = lease.host = "unknown";
    if (state.line) {
      lease.owner = state.line->owner;
      lease.host = state.line->host;
      lease.pid = state.line->process.pid;
    }
    const auto held = held_.find(name);
    lease.ours = held != held_.end() && state.is(held->second.line);
    const fs::path path = path_of(name);
    lease.unchanged = unchanged(path);
    lease.stale = !lease.ours && is_stale(path, state);
    return lease;
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    std::error_code error;
    auto entry = fs::directory_iterator(folder_, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      files.push_back(entry->path());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      throw Error(ErrorCode::kStorage,
                  format("{}: cannot be read: {}", folder_.string(), error.message()));
    }
    return files;
  }

  // Removes private files and claims that nobody will come back to, now and then. To remove one
  // that is in use after all makes its maker begin anew.
  void sweep() {
    if (swept_ && settings_.now() - *swept_ < settings_.stale_after / 2) return;
    swept_ = settings_.now();
    const std::vector<fs::path> there = files();
    for (const fs::path& path : there) {
      if (path.extension() != kClaim && path.extension() != kPart) continue;
      const auto state = look(path);
      if (state && is_stale(path, *state)) remove_lease(path);
    }
    std::erase_if(watched_, [&](const auto& watched) {
      return std::find(there.begin(), there.end(), watched.first) == there.end();
    });
  }

  const fs::path folder_;
  const std::string owner_;
  const std::string host_ = host_word();
  const Process process_ = this_process();
  std::mutex mutex_;
  LeaseSettings settings_;
  std::map<std::string, Held> held_;
  std::map<fs::path, Watched> watched_;
  std::optional<steady_clock::time_point> swept_;
};

Leases::Leases(fs::path folder, std::string owner, LeaseSettings settings)
    : implementation_(std::make_unique<Implementation>(
          std::move(folder), std::move(owner), std::move(settings))) {}

Leases::~Leases() { implementation_->release_all(); }

Taking Leases::take(const std::string& name) { return implementation_->take(name); }

std::vector<std::string> Leases::renew() { return implementation_->renew(); }

bool Leases::release(const std::string& name) { return implementation_->release(name); }

std::vector<Lease> Leases::list() { return implementation_->list(); }

std::string unique_owner() { return format("{}-{}-{}", host_word(), ::getpid(), random_id()); }

}  // namespace vsr::store
