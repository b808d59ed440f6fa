// The program: arguments -> job -> wiring of rooms -> exit status.
#include "arguments.hpp"
#include "binding.hpp"
#include "compare_command.hpp"
#include "doctor_command.hpp"
#include "dry_run.hpp"
#include "film_job.hpp"
#include "qc_command.hpp"
#include "report_command.hpp"
#include "selftest_command.hpp"
#include "signals.hpp"
#include "status_command.hpp"
#include "version.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/printable.hpp"
#include "vsr/base/terminal_writer.hpp"
#include "vsr/cluster/communicator.hpp"
#include "vsr/model/cpu_waiting.hpp"

#include <sys/prctl.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>

namespace {

using vsr::Error;
using vsr::ErrorCode;
using vsr::launcher::Arguments;
using vsr::launcher::Command;

// One line for the user, the place in the source for the log.
int report(const Error& error, const vsr::cluster::Communicator* communicator, int interrupted) {
  vsr::log::flush();
  const int size = communicator == nullptr ? 1 : communicator->size();
  std::string where;
  if (size > 1) {
    where = vsr::format(" (rank {} on {})", communicator->rank(), vsr::host_name());
  }
  vsr::write_to_stderr(vsr::format(
      "vsr-dist: {}: {}{}\n", to_string(error.code()), vsr::printable(error.what()), where));
  vsr::log::debug("launcher", "raised at {}:{}", error.where().file_name(), error.where().line());
  return error.code() == ErrorCode::kInterrupted ? interrupted : static_cast<int>(error.code());
}

using CommandOfRanks = int (*)(const Arguments&,
                               vsr::cluster::Communicator&,
                               vsr::launcher::Signals&);

int run_with_ranks(const Arguments& arguments, CommandOfRanks run_command) {
  vsr::launcher::Signals signals;
  const std::unique_ptr<vsr::cluster::Communicator> communicator =
      vsr::cluster::make_communicator();
  int status = 0;
  bool unreachable = false;
  try {
    status = run_command(arguments, *communicator, signals);
  } catch (const Error& error) {
    status = report(error, communicator.get(), signals.exit_status());
    // Ranks that wait for rank 0 have been dismissed. Those that do not answer, or a rank that
    // fails outside a segment, end the job.
    unreachable = communicator->rank() != 0 || error.code() == ErrorCode::kCluster;
  } catch (const std::exception& error) {
    status = report(Error(ErrorCode::kInternal, error.what()), communicator.get(), 0);
    unreachable = communicator->rank() != 0;
  }
  unreachable = unreachable || communicator->given_up();
  if (unreachable && communicator->size() > 1) communicator->abort(status);
  return status;
}

int run(const Arguments& arguments) {
  switch (arguments.command) {
    case Command::kHelp:
      std::cout << vsr::launcher::help_text();
      return 0;
    case Command::kVersion:
      std::cout << vsr::launcher::all_versions();
      return 0;
    case Command::kPrintConfig:
      std::cout << print_job(vsr::launcher::job_of(arguments), true);
      return 0;
    case Command::kDryRun:
      return run_with_ranks(arguments, vsr::launcher::print_dry_run);
    case Command::kSelftest:
      return vsr::launcher::run_selftest(arguments);
    case Command::kRun:
      return run_with_ranks(arguments, vsr::launcher::run_film);
    case Command::kDoctor:
      return run_with_ranks(arguments, vsr::launcher::run_doctor);
    case Command::kStatus:
      return vsr::launcher::run_status(arguments);
    case Command::kReport:
      return vsr::launcher::run_report(arguments);
    case Command::kQc:
      return vsr::launcher::run_qc(arguments);
    case Command::kCompare:
      return vsr::launcher::run_compare(arguments);
  }
  return static_cast<int>(ErrorCode::kInternal);
}

}  // namespace

int main(int argc, char** argv) {
  vsr::launcher::leave_single_core();
  vsr::model::make_waiting_passive(argv);
  prctl(PR_SET_NAME, "vsr-dist");  // it may have been started anew through /proc/self/exe
  try {
    const Arguments arguments = vsr::launcher::parse_arguments(argc, argv);
    vsr::log::configure({.terminal = arguments.log_level, .json = arguments.log_json});
    return run(arguments);
  } catch (const Error& error) {
    return report(error, nullptr, static_cast<int>(ErrorCode::kInterrupted));
  } catch (const std::exception& error) {
    vsr::write_to_stderr(vsr::format("vsr-dist: internal: {}\n", vsr::printable(error.what())));
    return static_cast<int>(ErrorCode::kInternal);
  }
}
