#include "encode_job.hpp"

#include "roles.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <exception>
#include <filesystem>
#include <thread>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr auto kLook = std::chrono::milliseconds(500);
constexpr auto kFileEvery = std::chrono::seconds(5);
// More often than scripts/run-until-done takes for standing still.
constexpr auto kTellEvery = std::chrono::minutes(5);

[[noreturn]] void refuse(const char* setting, const char* why) {
  throw Error(ErrorCode::kUsage,
              format("with {} a job that only encodes has nothing to do: {}. Start it without "
                     "--role=encode, or change that key for all jobs that share the run",
                     setting,
                     why));
}

// A job's status file, for as long as it has nothing else to tell.
class WaitingStatus {
 public:
  explicit WaitingStatus(fs::path file) : file_(std::move(file)) {}

  ~WaitingStatus() {
    std::error_code ignored;
    fs::remove(file_, ignored);
  }

  WaitingStatus(const WaitingStatus&) = delete;
  WaitingStatus& operator=(const WaitingStatus&) = delete;

  void write(const status::RunStatus& status) const {
    try {
      make_directories(file_.parent_path());
      write_file(file_, to_json(status, true) + "\n");
    } catch (const std::exception& error) {  // no run fails for want of somebody who watches
      log::debug("status", "{}", error.what());
    }
  }

 private:
  const fs::path file_;
};

}  // namespace

void check_encode_job(const Job& job, const std::vector<Resources>& ranks, bool fresh) {
  if (fresh) {
    throw Error(ErrorCode::kUsage,
                "--fresh starts a run over, and a job that only encodes (--role=encode) begins "
                "none: give it to a job that upscales");
  }
  if (job.segment.codec == SegmentCodec::kNone) {
    refuse("segment.codec = none", "segments are encoded as they are upscaled");
  }
  if (job.final.encoder == "copy") refuse("final.encoder = copy", "nothing is encoded");
  if (job.cluster.final == FinalEncode::kCentral) {
    refuse("cluster.final = central", "one rank encodes the film in one piece");
  }
  check_encoders(job, ranks);
}

void wait_for_plan(const store::RunDirectory& directory,
                   const RunLeases& leases,
                   StatusPage& page,
                   const std::atomic<int>& stop) {
  const auto is_there = [&] {
    std::error_code error;
    return fs::exists(directory.plan_file(), error);
  };
  if (is_there()) return;
  const WaitingStatus status(directory.status_file(leases.job()));
  LastTime told;
  LastTime written;
  while (!is_there()) {
    if (stop.load() != 0) {
      throw Error(ErrorCode::kInterrupted,
                  "stopped while it waited for the run's plan; nothing was begun");
    }
    if (told.due(kTellEvery)) {
      // Loud enough for scripts/run-until-done, to which silence is standing still.
      log::warning("launcher",
                   "waiting for the run's plan in {}: this job only encodes, and one that upscales "
                   "makes it",
                   directory.root().string());
    }
    if (written.due(kFileEvery)) {
      status.write(page.planning("waits for the plan, which a job that upscales makes"));
    }
    std::this_thread::sleep_for(kLook);
  }
}

bool UpscalerWatch::look(int missing_segments) {
  const auto upscaler = leases_.another_upscaler();
  const bool nobody = missing_segments > 0 && !upscaler;
  board_.nobody_upscales(nobody);
  if (!nobody) {
    if (told_.ever() && upscaler) log::info("launcher", "{} upscales again", describe(*upscaler));
    told_.forget();
    return upscaler.has_value();
  }
  if (!told_.due(kTellEvery)) return false;
  log::warning("launcher",
               "nobody upscales: {} missing, and this job only encodes. It encodes what there is, "
               "and goes on by itself when a job without --role=encode is started here",
               counted(missing_segments, "segment") + (missing_segments == 1 ? " is" : " are"));
  return false;
}

}  // namespace vsr::launcher
