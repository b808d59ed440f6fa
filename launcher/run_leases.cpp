#include "run_leases.hpp"

#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <chrono>
#include <exception>

namespace vsr::launcher {

namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr auto kLook = milliseconds(500);
constexpr double kBeat_s = 5;  // at most; several within one's patience
constexpr const char* kJob = "job-";
constexpr const char* kFilm = "film-";
constexpr const char* kEncodes = "-encode";

milliseconds to_milliseconds(double seconds) {
  return std::chrono::duration_cast<milliseconds>(duration<double>(seconds));
}

store::LeaseSettings settings(double patience_s) {
  store::LeaseSettings settings;
  settings.stale_after = to_milliseconds(patience_s);
  return settings;
}

// An owner ends with what makes him the only one of his name.
std::string id_of(const std::string& owner) {
  return owner.substr(owner.size() - std::min<std::size_t>(16, owner.size()));
}

bool is_other(const store::Lease& lease, const std::string& prefix) {
  return !lease.ours && lease.name.starts_with(prefix) && !lease.stale;
}

}  // namespace

bool is_job_lease(const std::string& name) { return name.rfind(kJob, 0) == 0; }

std::string describe(const store::Lease& lease) {
  return lease.host.empty() ? lease.owner : format("process {} on {}", lease.pid, lease.host);
}

RunLeases::RunLeases(const store::RunDirectory& directory, double patience_s, bool only_encodes)
    : patience_s_(patience_s),
      owner_(store::unique_owner()),
      job_(kJob + id_of(owner_) + (only_encodes ? kEncodes : "")),
      film_(kFilm + id_of(owner_)),
      leases_(directory.leases_dir(), owner_, settings(patience_s)) {
  take_own();
  heart_ = std::thread([this] { beat(); });
}

RunLeases::~RunLeases() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  over_changed_.notify_all();
  heart_.join();
}

void RunLeases::take_own() {
  try {
    leases_.take(job_);
    if (makes_film_) leases_.take(film_);
  } catch (const DiskFull&) {
    // The run waits for room, and the heart tries again.
  }
}

void RunLeases::makes_film() {
  makes_film_ = true;
  take_own();
}

void RunLeases::beat() {
  const auto pause = to_milliseconds(std::min(kBeat_s, patience_s_ / 6));
  std::string said;
  std::unique_lock lock(mutex_);
  while (!over_changed_.wait_for(lock, pause, [this] { return over_; })) {
    lock.unlock();
    std::string trouble;
    try {
      for (const std::string& name : leases_.renew()) {
        log::warning("store",
                     "the lease {} was lost: this process was held up for longer than {} s, and "
                     "another job may do the same work; what either commits is good",
                     name,
                     patience_s_);
      }
      // Lost after a long stall, or not had for want of room when this job began.
      take_own();
    } catch (const std::exception& error) {
      trouble = error.what();
    }
    if (!trouble.empty() && said.empty()) {
      log::warning("store", "leases cannot be renewed, and go to others in a while: {}", trouble);
    }
    said = trouble;
    lock.lock();
  }
}

std::string RunLeases::job() const { return job_; }

bool RunLeases::take(const std::string& name) { return leases_.take(name).taken; }

void RunLeases::release(const std::string& name) {
  try {
    leases_.release(name);
  } catch (const Error& error) {
    // It goes stale by itself.
    log::debug("store", "the lease {} cannot be released: {}", name, error.what());
  }
}

bool RunLeases::wait_for(const std::string& name,
                         const std::string& purpose,
                         const std::atomic<int>& stop,
                         const std::function<bool()>& enough) {
  bool told = false;
  while (true) {
    if (enough && enough()) return false;
    store::Taking taking;
    bool room = true;
    try {
      taking = leases_.take(name);
    } catch (const DiskFull&) {
      room = false;
    }
    if (taking.taken) return true;
    if (stop.load() != 0) return false;
    if (!told && !room) {
      log::warning("store", "waiting {}: the disk has no room for a lease", purpose);
      told = true;
    }
    if (!told) {
      log::info("store",
                "waiting {}: {} is at it; should it be dead, {} s at most",
                purpose,
                describe(taking.holder),
                patience_s_);
      told = true;
    }
    std::this_thread::sleep_for(kLook);
  }
}

std::vector<store::Lease> RunLeases::jobs() {
  std::vector<store::Lease> jobs = leases_.list();
  std::erase_if(jobs,
                [](const store::Lease& lease) { return !is_job_lease(lease.name) || lease.stale; });
  return jobs;
}

std::optional<store::Lease> RunLeases::another_job() {
  for (store::Lease& lease : leases_.list()) {
    if (is_other(lease, kJob)) return lease;
  }
  return std::nullopt;
}

std::optional<store::Lease> RunLeases::another_upscaler() {
  for (store::Lease& lease : leases_.list()) {
    if (is_other(lease, kJob) && !lease.name.ends_with(kEncodes)) return lease;
  }
  return std::nullopt;
}

void RunLeases::bury_dead_jobs() {
  for (const store::Lease& lease : leases_.list()) {
    // On pieces too: of one that was committed and not released nobody else asks for the lease.
    if (!lease.ours && lease.stale && take(lease.name)) release(lease.name);
  }
}

std::optional<store::Lease> RunLeases::another_living_job(const std::atomic<int>& stop) {
  return another_living(kJob, stop);
}

std::optional<store::Lease> RunLeases::another_film_maker(const std::atomic<int>& stop) {
  return another_living(kFilm, stop);
}

std::optional<store::Lease> RunLeases::another_living(const std::string& prefix,
                                                      const std::atomic<int>& stop) {
  const auto begin = Clock::now();
  // What is unchanged for a shorter time than it has been watched was renewed meanwhile.
  constexpr auto kJitter = milliseconds(1000);
  bool told = false;
  while (stop.load() == 0) {
    std::optional<store::Lease> unknown;
    const auto watched = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
    for (store::Lease& lease : leases_.list()) {
      if (!is_other(lease, prefix)) continue;
      if (lease.unchanged + kJitter < watched) return lease;
      unknown = std::move(lease);
    }
    if (!unknown) return std::nullopt;
    if (!told) {
      log::info("store",
                "{} worked in this run directory; watching for {} s at most whether it lives",
                describe(*unknown),
                patience_s_);
      told = true;
    }
    std::this_thread::sleep_for(kLook);
  }
  throw Error(ErrorCode::kInterrupted, "stopped; nothing was changed");
}

}  // namespace vsr::launcher
