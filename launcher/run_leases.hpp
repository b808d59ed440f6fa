// This job among the jobs at work in one run directory: the leases it holds and how it keeps them.
// Every job has one named job-... for as long as it works there, and where it only encodes
// job-...-encode; from when it has agreed with the others on the film on also one named film-...
#pragma once

#include "vsr/store/leases.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace vsr::launcher {

// Held around whatever one job at a time does before the segments: planning, comparing the job with
// those at work.
inline constexpr const char* kStartLease = "start";
// Held by who joins the film.
inline constexpr const char* kFinalLease = "final";
// Whether it is one that a job holds as long as it works here.
bool is_job_lease(const std::string& name);

// Threads: any. One of its own renews what is held.
class RunLeases {
 public:
  // `patience_s`: how long one that is not renewed counts as held; the same for all jobs.
  // `only_encodes`: this job upscales nothing. Throws Error(kStorage).
  RunLeases(const store::RunDirectory& directory, double patience_s, bool only_encodes = false);
  // Releases what is held.
  ~RunLeases();
  RunLeases(const RunLeases&) = delete;
  RunLeases& operator=(const RunLeases&) = delete;

  // Takes it if it is free, and now if not before; does not wait. Throws Error(kStorage), DiskFull.
  bool take(const std::string& name);
  void release(const std::string& name);
  // Waits until it is taken, or until `enough` (may be empty) says so, or `stop`: false. Says once
  // who has it and that this job is waiting, in words "to " + `purpose`.
  bool wait_for(const std::string& name,
                const std::string& purpose,
                const std::atomic<int>& stop,
                const std::function<bool()>& enough = {});

  // Of this job's own lease: "job-0123456789abcdef", "job-0123456789abcdef-encode".
  std::string job() const;
  // Of all jobs that may be at work here, this one's too.
  std::vector<store::Lease> jobs();
  // A job that may be at work here beside this one; whether it lives is not known at once.
  std::optional<store::Lease> another_job();
  // The same of one that upscales.
  std::optional<store::Lease> another_upscaler();
  // Removes what jobs have left that are known to be dead.
  void bury_dead_jobs();
  // One that is, after watching for up to `patience_s`. Throws Error(kInterrupted) on `stop`.
  std::optional<store::Lease> another_living_job(const std::atomic<int>& stop);

  // From here on this job makes the film that job.ini tells of. To be called by who holds the start
  // lease.
  void makes_film();
  // The lease of another job of which that is so, found as another_living_job() finds its own: who
  // is about to begin has a say in nothing yet.
  std::optional<store::Lease> another_film_maker(const std::atomic<int>& stop);

 private:
  void beat();
  void take_own();
  std::optional<store::Lease> another_living(const std::string& prefix,
                                             const std::atomic<int>& stop);

  const double patience_s_;
  const std::string owner_;
  const std::string job_;
  const std::string film_;
  store::Leases leases_;
  std::atomic<bool> makes_film_ = false;
  std::mutex mutex_;
  std::condition_variable over_changed_;
  bool over_ = false;  // guarded by mutex_
  std::thread heart_;
};

// "process 4711 on pod-3".
std::string describe(const store::Lease& lease);

}  // namespace vsr::launcher
