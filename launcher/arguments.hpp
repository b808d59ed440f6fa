// The command line as a struct, and the job it asks for.
#pragma once

#include "vsr/base/log.hpp"
#include "vsr/job/job.hpp"
#include "vsr/job/job_file.hpp"

#include <string>
#include <vector>

namespace vsr::launcher {

enum class Command { kRun, kHelp, kVersion, kPrintConfig, kDryRun, kSelftest, kDoctor };

struct Arguments {
  Command command = Command::kRun;
  std::string job_file;  // may be empty: all by --section.key
  KeyValues values;      // --section.key=value, in order
  bool fresh = false;
  bool encode_only = false;  // this rank takes no segments, only chunks to encode
  log::Level log_level = log::Level::kInfo;
  bool log_json = false;
  // selftest
  std::string checkpoint;
  std::vector<std::string> golden;
  std::string device = "auto";
  std::string precision = "fp32";
  // doctor, which takes a job or none
  bool json = false;
  std::string hosts;  // a host file; empty: none
};

// Throws Error(kUsage).
Arguments parse_arguments(int argc, const char* const* argv);

std::string help_text();

// The job that file and command line ask for, with its run directory decided and every path whole.
// Throws Error(kUsage).
Job job_of(const Arguments& arguments);

}  // namespace vsr::launcher
