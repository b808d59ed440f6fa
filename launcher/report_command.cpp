#include "report_command.hpp"

#include "run_reader.hpp"
#include "two_films.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/status/report.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

// Whether a record, or what a start wrote, is younger than the ledger, or there is none.
bool is_out_of_date(const RunReader& reader) {
  const store::RunDirectory& directory = reader.directory();
  std::error_code error;
  const auto written = fs::last_write_time(directory.run_file(), error);
  if (error) return true;
  const auto is_younger = [&](const fs::path& file) {
    std::error_code none;
    const auto time = fs::last_write_time(file, none);
    return !none && time > written;
  };
  for (const Segment& segment : reader.run().plan.segments) {
    if (is_younger(directory.record_file(segment.index)) ||
        is_younger(directory.record_file(segment.index, store::Piece::kChunk))) {
      return true;
    }
  }
  for (const auto& [name, start] : reader.run().starts) {
    if (is_younger(directory.start_file(name))) return true;
  }
  return false;
}

bool is_report(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;  // a pipe would be waited for
  std::ifstream file(path, std::ios::binary);
  std::string begin(status::kReportBegin, '\0');
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<std::size_t>(file.gcount()));
  return status::is_report(begin);
}

}  // namespace

int run_report(const Arguments& arguments) {
  const auto directory = store::RunDirectory::find(arguments.run_dir);
  if (!directory) {
    throw Error(ErrorCode::kUsage,
                format("{}: no run directory of vsr-dist: give the folder that run.dir names",
                       arguments.run_dir));
  }
  // A report is made again and again; anything else that is there is somebody's.
  if (!arguments.output.empty() && !is_report(arguments.output)) {
    check_output(arguments.output, arguments);
  }
  RunReader reader(*directory);
  reader.update();
  const status::ReportData data = reader.report_data();
  for (const std::string& problem : data.problems) log::warning("store", "{}", problem);
  const std::string writer = format("report-{}", ::getpid());
  if (is_out_of_date(reader)) {
    try {
      directory->write_for_people(
          directory->run_file(), store::encode_ledger(reader.run()), writer);
    } catch (const Error& error) {
      // The page may go elsewhere, out of a run that may only be read.
      log::warning("store", "the ledger cannot be brought up to date: {}", error.what());
    }
  }
  const std::string page = status::report_html(data);
  const fs::path file =
      arguments.output.empty() ? directory->report_file() : fs::path(arguments.output);
  if (arguments.output.empty()) {
    directory->write_for_people(file, page, writer);
  } else {
    write_file(file, page);
  }
  std::cout << file.string() << '\n';
  return 0;
}

}  // namespace vsr::launcher
