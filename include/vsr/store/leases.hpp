// Leases: several jobs at work on one run directory (processes, maybe on several hosts that share a
// file system) agree on who works on what. A job takes a lease on a piece of work, renews it while
// it works and releases it; a lease that nobody renews goes to whoever asks for it next.
//
// A lease saves work, it does not guard it: whoever stalls for longer than `stale_after` loses his
// lease without knowing before his next renew(), so for that long two may do the same. What is
// committed has to bear that, and does (docs/run-directory.md).
//
// No two clocks are ever compared: Notes [Stale] and [Takeover] in leases.cpp.
//
// Threads: any; one at a time is let in, and may wait for the file system. An object is of the
// process that made it, not of that one's forks.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vsr::store {

struct LeaseSettings {
  // A lease is stale when it was seen unchanged for so long by whoever wants it. Several times what
  // passes between two renewals, and more than the file system's clients may keep a file's
  // attributes (NFS mounted with nocto: a minute). The same for all jobs, or the most impatient
  // wins.
  std::chrono::milliseconds stale_after{60'000};
  // This process's own monotonic clock.
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  // Off: as on a file system without link(2), which is otherwise found out.
  bool hard_links = true;
  // Whether a lease is stale at once when its process is known to be dead. Off: as if all others
  // were on other hosts.
  bool judge_processes = true;
};

// A lease as somebody's, for messages and for a display.
struct Lease {
  std::string name;   // "segment-0007"
  std::string owner;  // "unknown" where the file cannot be understood (torn, of another version)
  std::string host;
  std::int64_t pid = 0;
  bool ours = false;
  // For how long this object has seen it unchanged. Moves only as it looks: see Note [Stale].
  std::chrono::milliseconds unchanged{0};
  bool stale = false;  // may be taken
};

struct Taking {
  bool taken = false;
  Lease holder;  // who has it, if not taken
};

class Leases {
 public:
  // Makes `folder` (RUN/leases) where it is missing. `owner` is this job's alone, unique_owner():
  // two jobs of one name would take each other's leases. Throws Error(kStorage), and
  // Error(kInternal) for an owner with anything but letters, digits, '.', '-', '_', ':' in it.
  Leases(std::filesystem::path folder, std::string owner, LeaseSettings settings = {});
  // Releases what is held; what cannot be released goes stale.
  ~Leases();
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;

  // All of these throw Error(kStorage), DiskFull where there is no room; take() and release() also
  // Error(kInternal) for a name that is not made of 1 to 64 lower-case letters, digits and '-'.

  // Does not wait for anybody. A lease that its owner left behind is taken in one of several calls
  // spread over `stale_after`, since the first one only begins to watch it. Taken what is held
  // already: `taken`.
  Taking take(const std::string& name);
  // The heartbeat, to be called every few seconds: says of all held leases that their owner lives.
  // Returns the names of those that were lost (taken over, removed, damaged); they are held no
  // more. Never brings a lost one back and never touches another's. Throws after having tried all;
  // what is lost is then told by the next call. Now and then also removes what crashes left behind.
  std::vector<std::string> renew();
  // Removes the lease if it is still ours; says whether it was.
  bool release(const std::string& name);
  // All leases in the folder by name, also the stale ones.
  std::vector<Lease> list();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// "host-4711-0123456789abcdef": host, process, 64 random bits.
std::string unique_owner();

}  // namespace vsr::store
