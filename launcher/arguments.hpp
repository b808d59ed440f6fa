// The command line as a struct, and the job it asks for.
#pragma once

#include "vsr/base/log.hpp"
#include "vsr/job/job.hpp"
#include "vsr/job/job_file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

enum class Command {
  kRun,
  kHelp,
  kVersion,
  kPrintConfig,
  kDryRun,
  kSelftest,
  kDoctor,
  kStatus,
  kReport,
  kQc,
  kCompare
};

struct Arguments {
  Command command = Command::kRun;
  std::string job_file;  // may be empty: all by --section.key
  KeyValues values;      // --section.key=value, in order
  bool fresh = false;
  bool encode_only = false;  // this rank takes no segments, only chunks to encode
  log::Level log_level = log::Level::kInfo;
  bool log_level_given = false;
  bool log_json = false;
  std::string progress = "auto";  // or lines, or off: how a run is told while it is at work
  double progress_every_s = 30;   // lines: so often
  // selftest
  std::string checkpoint;
  std::vector<std::string> golden;
  std::string device = "auto";
  std::string precision = "fp32";
  // doctor, which takes a job or none
  bool json = false;  // also of status and qc
  std::string hosts;  // a host file; empty: none
  // status, report
  std::string run_dir;
  bool watch = false;  // status: again and again
  bool force = false;  // report, qc, compare: replaces an output that is there
  // qc, compare: two films (compare: or pictures)
  std::vector<std::string> inputs;
  std::string output;           // report, qc (a table of frames), compare; empty: see there
  std::string offset = "auto";  // frames of the second that come before the first one's first
  std::string mode = "side";    // compare: side, split
  std::string at;               // compare: a time or a frame, for a picture in place of a video
  std::string start;            // qc, compare: from where, how long; times of the first
  std::string duration;
  std::string align = "auto";        // qc, compare: auto, number, time
  std::optional<double> fail_below;  // qc: dB
};

// Throws Error(kUsage).
Arguments parse_arguments(int argc, const char* const* argv);

std::string help_text();

// The job that file and command line ask for, with its run directory decided and every path whole.
// Throws Error(kUsage).
Job job_of(const Arguments& arguments);

}  // namespace vsr::launcher
