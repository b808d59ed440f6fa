#include "doctor_command.hpp"

#include "doctor/checks.hpp"
#include "doctor/report.hpp"
#include "version.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/host.hpp"
#include "vsr/cluster/cluster.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

using doctor::Check;
using doctor::Findings;

// Ten frames on a slow processor that many ranks share, and a slow disk.
constexpr double kGatherTimeout_s = 300;

// Rank 0 tells the others where the scratch folder is; or this, having told the user why.
const std::string kNoStart = "no start";
const std::string kNoScratch;

struct Task {
  Job job;
  bool has_film = false;
};

// The job, or where none is given one without a film, in the current folder.
Task task_of(Arguments arguments) {
  const auto given = [&](std::string_view key) {
    return std::any_of(arguments.values.begin(), arguments.values.end(), [&](const auto& value) {
      return value.first == key;
    });
  };
  const bool has_film = !arguments.job_file.empty() || given("input.file");
  if (!has_film) {
    arguments.values.emplace_back("input.file", "no-film");
    if (!given("run.dir")) arguments.values.emplace_back("run.dir", ".");
  }
  return {job_of(arguments), has_film};
}

// One rank's look at everything.
struct Examination {
  const Arguments& arguments;
  const Task& task;
  const cluster::Communicator& communicator;
  Signals& signals;
  const doctor::Place place{communicator.local_rank(), communicator.local_size()};
  Findings findings{};

  // `directory`: how rank 0 fared with the run directory. `scratch`: its folder there, or none.
  Findings run(const Check* directory, const fs::path& scratch) {
    findings.rank = communicator.rank();
    findings.host = host_name();
    findings.versions = "vsr-dist " + program_version() + ", " + cluster::mpi_version();
    // What is the host's is for one of its ranks.
    const bool for_host = place.local_rank == 0;
    if (directory != nullptr) findings.checks.push_back(*directory);
    const bool storage = !scratch.empty() && look_at_directory(scratch, for_host);
    if (for_host) look_at_host();
    add("gpu", [&] {
      const auto gpu = doctor::measure_gpu(place.local_rank);
      return doctor::check_gpu(task.job.stream.device, gpu, place.local_size);
    });
    const bool own_encoder = for_host && look_at_film();
    add("network", [&] { return doctor::check_network(task.job.stream.device, place); });
    if (storage) {
      add("ten frames", [&] {
        const log::Settings settings{.terminal = arguments.log_level, .json = arguments.log_json};
        return doctor::check_ten_frames(
            task.job, own_encoder, own_folder(scratch), place, signals, settings);
      });
    }
    return findings;
  }

  template <typename Look>
  bool add(const std::string& name, const Look& look) {
    if (signals.stop().load() != 0) throw Error(ErrorCode::kInterrupted, "stopped");
    findings.checks.push_back(doctor::attempt(name, look));
    return findings.checks.back().verdict != doctor::Verdict::kFailure;
  }

  fs::path own_folder(const fs::path& scratch) const {
    return scratch / std::to_string(communicator.rank());
  }

  // Whether this rank can work there.
  bool look_at_directory(const fs::path& scratch, bool for_host) {
    const fs::path own = own_folder(scratch);
    std::error_code error;
    if (!fs::create_directory(own, error)) {
      return add("run directory", [&] {
        return doctor::failure(
            "run directory",
            ErrorCode::kStorage,
            "what rank 0 made in " + task.job.run.dir + " is not seen here: " + error.message(),
            "give a run.dir on a volume that all hosts have under one path");
      });
    }
    // First, so that ranks claim at about the same time. What it throws, check_claims() shows.
    doctor::attempt("claims of ranks", [&] {
      findings.claims = doctor::claim_all(scratch);
      return Check();
    });
    if (!for_host) return true;
    add("claims", [&] { return doctor::check_threads_claims(own); });
    add("commits", [&] { return doctor::check_commits(own); });
    add("space", [&] { return doctor::check_space(free_bytes(own)); });
    add("clock", [&] {
      findings.clock_s = doctor::clock_offset_s(own);
      return doctor::check_clock(*findings.clock_s);
    });
    return true;
  }

  void look_at_host() {
    const auto visible = [](int what) { return static_cast<std::uint64_t>(sysconf(what)); };
    add("program", doctor::check_program);
    add("processors", [&] {
      const int processors = static_cast<int>(visible(_SC_NPROCESSORS_ONLN));
      return doctor::check_processors(usable_cpus(), processors, communicator.size() > 1);
    });
    add("memory", [&] {
      const std::uint64_t bytes = visible(_SC_PHYS_PAGES) * visible(_SC_PAGESIZE);
      return doctor::check_memory(usable_memory_bytes(), bytes);
    });
    add("shared memory", [] { return doctor::check_shared_memory(free_bytes("/dev/shm")); });
    add("limits", [] {
      rlimit files{};
      rlimit locked{};
      getrlimit(RLIMIT_NOFILE, &files);
      getrlimit(RLIMIT_MEMLOCK, &locked);
      const bool infiniband = fs::exists("/dev/infiniband");
      return doctor::check_limits(files.rlim_cur, locked.rlim_cur, infiniband);
    });
    add("interfaces", [&] {
      const char* include = std::getenv("OMPI_MCA_btl_tcp_if_include");
      return doctor::check_interfaces(
          doctor::usable_interfaces(),
          include == nullptr ? "" : include,
          place.local_size < communicator.size() || !arguments.hosts.empty());
    });
    add("loopback", doctor::check_loopback);
  }

  // Whether the job's encoder is there.
  bool look_at_film() {
    const bool there = add("encoders", [&] { return doctor::check_encoders(task.job.final); });
    add("model", [&] { return doctor::check_model(task.job.model); });
    if (task.has_film) add("input", [&] { return doctor::check_input(task.job.input); });
    return there;
  }
};

// All ranks' findings, and in `last` what shows when they are compared; false when one does not
// answer, or not as this version does.
bool gather(cluster::Communicator& communicator,
            std::vector<Findings>& ranks,
            std::vector<Check>& last) {
  const std::string own = doctor::encode(ranks.front());
  try {
    const auto answers = cluster::gather(communicator, own, kGatherTimeout_s);
    for (std::size_t rank = 1; rank < answers.size(); ++rank) {
      ranks.push_back(doctor::decode_findings(answers[rank]));
    }
    if (ranks.size() > 1) last = doctor::compare(ranks);
    return true;
  } catch (const Error& error) {
    last = {doctor::failure("ranks", error.code(), error.what())};
    return false;
  }
}

int lead(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  Task task;
  std::vector<doctor::Host> hosts;
  try {
    task = task_of(arguments);
    if (!arguments.hosts.empty()) hosts = doctor::read_hosts(arguments.hosts);
  } catch (const Error&) {
    std::string message = kNoStart;
    communicator.broadcast(message);
    throw;
  }
  std::unique_ptr<doctor::Scratch> scratch;
  const Check directory = doctor::attempt("run directory", [&] {
    scratch = std::make_unique<doctor::Scratch>(task.job.run.dir);
    return doctor::ok("run directory", task.job.run.dir + " can be written");
  });
  std::string message = scratch ? scratch->path().string() : kNoScratch;
  communicator.broadcast(message);
  std::vector<Findings> ranks = {
      Examination{arguments, task, communicator, signals}.run(&directory, message)};
  std::vector<Check> last;
  const bool all_answered = gather(communicator, ranks, last);
  if (!hosts.empty()) {
    for (Check& peer : doctor::check_peers(hosts, signals.stop())) last.push_back(peer);
  }
  std::vector<doctor::Line> lines = doctor::merge(ranks);
  for (const Check& check : last) lines.push_back({check, {0}, {}});
  std::cout << (arguments.json ? doctor::print_json(lines, program_version(), communicator.size())
                               : doctor::print_text(lines))
            << std::flush;
  const int status = doctor::exit_status(lines);
  if (!all_answered) {
    scratch.reset();
    communicator.abort(status);  // a rank that does not answer cannot be let go
  }
  return status;
}

int follow(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  std::string message;
  communicator.broadcast(message);
  if (message == kNoStart) return 0;  // rank 0 has said why
  const Task task = task_of(arguments);
  Examination examination{arguments, task, communicator, signals};
  const std::string own = doctor::encode(examination.run(nullptr, message));
  cluster::gather(communicator, own, kGatherTimeout_s);
  return 0;
}

}  // namespace

int run_doctor(const Arguments& arguments, cluster::Communicator& communicator, Signals& signals) {
  return communicator.rank() == 0 ? lead(arguments, communicator, signals)
                                  : follow(arguments, communicator, signals);
}

}  // namespace vsr::launcher
