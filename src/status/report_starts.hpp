// Which start made a piece, and how long each start was at work. Private.
#pragma once

#include "vsr/store/ledger_file.hpp"

#include <string>
#include <vector>

namespace vsr::status {

// The place among run.starts of the one that made each piece; -1: not known. Records do not name
// it, so it is told by host, rank and time; of two that could have made a piece the one that had no
// other in hand.
std::vector<int> makers_of(const store::RunLedger& run, const store::LedgerPieces& records);

// A start as it is told of.
struct AtWork {
  double begin = 0;     // seconds since 1970
  double end = 0;       // or when it was last known to be at work
  std::string last;     // the same as text, UTC
  bool shares = false;  // with another one, part of the time
};

// In the order of run.starts. One whose times are none ends where it begins.
std::vector<AtWork> starts_at_work(const store::RunLedger& run);

}  // namespace vsr::status
