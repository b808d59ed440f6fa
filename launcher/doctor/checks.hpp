// All that is looked at. Checks of a host judge figures that they are handed, so that tests can
// hand them others. Whatever throws is a failure of its check (attempt(), check.hpp).
#pragma once

#include "doctor/check.hpp"
#include "signals.hpp"
#include "vsr/base/log.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/job/job.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vsr::launcher::doctor {

// --- The host and its container (host_checks.cpp) ----------------------------------------------

Check check_program();

struct GpuFigures {
  int count = 0;
  std::string why_none;    // of a count of 0
  gpu::DeviceInfo device;  // the one that this rank uses
  std::uint64_t free_bytes = 0;
};

GpuFigures measure_gpu(int local_rank);
// `local_size`: ranks of this host.
Check check_gpu(DeviceChoice wanted, const GpuFigures& gpu, int local_size);
// What this process may use against what it sees. `bound`: by an mpirun, perhaps.
Check check_processors(int usable, int visible, bool bound);
Check check_memory(std::uint64_t usable_bytes, std::uint64_t visible_bytes);
// Open MPI's ranks of one host and NCCL speak through it.
Check check_shared_memory(std::uint64_t free_bytes);
// Soft limits (~0: none) on open files and locked bytes.
Check check_limits(std::uint64_t files, std::uint64_t locked_bytes, bool infiniband);

struct Interface {
  std::string name;
  std::string address;  // IPv4 or IPv6 in text
};

// Those that are up, but for the loopback one and addresses that hold for one link only.
std::vector<Interface> usable_interfaces();
// `include`: OMPI_MCA_btl_tcp_if_include, names or networks ("10.65.0.0/16"); empty: not set.
Check check_interfaces(const std::vector<Interface>& interfaces,
                       const std::string& include,
                       bool several_hosts);

// A port of this host that can be connected to and says nothing: the kernel answers.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

Check check_loopback();

// --- The run directory (storage_checks.cpp) ----------------------------------------------------

// A folder of its own in `directory`. What had to be made for it goes with it, innermost first, and
// only what is empty by then. Throws Error(kStorage).
class Scratch {
 public:
  explicit Scratch(const std::filesystem::path& directory);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_;  // innermost first
};

// Files as a run commits them (written, synced, renamed), at most 256 MB or 2 s of them and no more
// than a quarter of what is free; the first one is read back.
Check check_commits(const std::filesystem::path& folder);
// By the file system. The quota of a network volume does not show here, only when it is full.
Check check_space(std::uint64_t free_bytes);
// This host's clock less the file server's, by the time of a file just written, seconds.
double clock_offset_s(const std::filesystem::path& folder);
Check check_clock(double offset_s);
// Tries to be the one that makes each of some files: a '1' for each that it is, else a '0'.
std::string claim_all(const std::filesystem::path& folder);
// Whether each claim went to just one of those who tried.
Check check_claims(const std::string& name, const std::vector<std::string>& won);
// Two threads of this process.
Check check_threads_claims(const std::filesystem::path& folder);

// --- The film (film_checks.cpp, ten_frames.cpp) ------------------------------------------------

Check check_encoders(const FinalOptions& wanted);
// The job's film by its headers, and decoders for what is taken of it.
Check check_input(const InputOptions& input);
Check check_model(const ModelOptions& options);

// A rank's place on its host.
struct Place {
  int local_rank = 0;
  int local_size = 1;
};

// The network inside the program against the golden data inside the program, on the device that a
// run would use.
Check check_network(DeviceChoice device, const Place& place);
// Ten small frames, of which every pixel is known, from source to film as a run makes it: by the
// job's device, mezzanine and encoder (`own_encoder`; else its mezzanine is copied). What is in
// `folder` then is for the caller to remove. `settings` are the log's afterwards.
Check check_ten_frames(const Job& job,
                       bool own_encoder,
                       const std::filesystem::path& folder,
                       const Place& place,
                       Signals& signals,
                       const log::Settings& settings);

// --- Peers (peers.cpp, process.cpp) ------------------------------------------------------------

struct ProcessResult {
  int status = 0;      // exit status; 128 + n when signal n ended it
  std::string output;  // standard output and error together
  bool late = false;   // it was ended at its time limit, with what it had started
};

// Runs a program, found by PATH, by its argument list: no shell sees it. Throws Error(kCluster)
// when it cannot be started, Error(kInterrupted) when `stop` asks to end; it has ended by then.
ProcessResult run_process(const std::vector<std::string>& arguments,
                          double timeout_s,
                          const std::atomic<int>& stop);

struct Host {
  std::string name;  // letters, digits, '.', '-' and '_' alone, the first one a letter or digit
  int port = 0;      // 0: ssh's own choice

  bool operator==(const Host&) const = default;
};

// Lines of "name slots=4 port=2222" as mpirun reads them; the slots do not matter here. Throws
// Error(kUsage) naming the line.
std::vector<Host> read_hosts(const std::filesystem::path& file);
// By ssh there and back: the same program under the same path, and connections both ways. All hosts
// at once, a check each, in order. Throws Error(kInterrupted).
std::vector<Check> check_peers(const std::vector<Host>& hosts, const std::atomic<int>& stop);

}  // namespace vsr::launcher::doctor
