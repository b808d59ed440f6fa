// What the ranks found, put side by side and printed.
#pragma once

#include "doctor/check.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher::doctor {

// Of one rank; travels to rank 0 as a value.
struct Findings {
  int rank = 0;
  std::string host;
  std::string versions;           // of program and MPI
  std::optional<double> clock_s;  // clock_offset_s(), where it could be found out
  std::string claims;             // claim_all(), in the folder of all ranks
  std::vector<Check> checks;
};

std::string encode(const Findings& findings);
// Throws Error(kCluster) on anything that encode() of this version did not write.
Findings decode_findings(const std::string& bytes);

// What only shows when ranks are compared: versions, clocks, claims.
std::vector<Check> compare(const std::vector<Findings>& ranks);

// A check and the ranks that found just this.
struct Line {
  Check check;
  std::vector<int> ranks;
  std::string where;  // "rank 1 on pod-b"; empty: everywhere
};

std::vector<Line> merge(const std::vector<Findings>& ranks);

// 0, or that of the first failure.
int exit_status(const std::vector<Line>& lines);
std::string print_text(const std::vector<Line>& lines);
// One JSON document. `program`: version.
std::string print_json(const std::vector<Line>& lines, const std::string& program, int ranks);

}  // namespace vsr::launcher::doctor
