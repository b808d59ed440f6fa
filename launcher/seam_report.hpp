// The seams of a run's segments in words, for the log.
#pragma once

#include "vsr/assemble/seams.hpp"

#include <map>
#include <string>
#include <vector>

namespace vsr::launcher {

struct SeamReport {
  std::vector<std::string> warnings;  // a line for each seam that may be seen, up to ten
  std::vector<std::string> figures;   // a line for each seam
  std::string summary;                // empty where there is no seam
};

// Of all seams of a run, by the segment that begins there.
SeamReport report_seams(const std::map<int, assemble::Seam>& seams);

}  // namespace vsr::launcher
