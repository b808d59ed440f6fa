// The report of a run: one page that needs no other file, for the browser or the printer.
// docs/report.md tells what stands in it.
#pragma once

#include "vsr/store/ledger_file.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::status {

// A frame whose pictures are shown.
struct ReportPicture {
  int segment = 0;
  double back_projection_db = 0;  // NaN: not measured
  Preview preview;
};

struct ReportFile {
  std::string name;
  double bytes = -1;  // not known
};

struct ReportData {
  store::RunLedger run;
  std::vector<ReportPicture> worst;   // the worst first
  std::vector<ReportPicture> middle;  // as the film usually looks, in order
  ReportFile source;
  std::vector<ReportFile> films;      // empty: not made (yet)
  std::vector<std::string> problems;  // what of the run could not be read
  std::string run_dir;
  std::string made;             // UTC, ISO 8601
  std::string program_version;  // that makes the report
};

// Bytes that a page has at most, as long as its figures alone leave room: of the pictures those are
// shown that fit.
inline constexpr std::size_t kMostPageBytes = 5'000'000;

// Names and texts may hold anything; none of it becomes markup or script.
std::string report_html(const ReportData& data);

// Bytes of a file that tell whether it is such a page.
inline constexpr std::size_t kReportBegin = 8192;
bool is_report(std::string_view begin);

}  // namespace vsr::status
