// The seams of a run's segments, measured from their records, in words for the log.
#pragma once

#include "vsr/store/record.hpp"

#include <string>
#include <vector>

namespace vsr::launcher {

struct SeamReport {
  std::vector<std::string> warnings;  // a line for each seam that may be seen, up to ten
  std::vector<std::string> figures;   // a line for each seam
  std::string summary;                // empty where there is no seam
};

// `records` in the plan's order, all of one plan.
SeamReport report_seams(const std::vector<store::Record>& records);

}  // namespace vsr::launcher
