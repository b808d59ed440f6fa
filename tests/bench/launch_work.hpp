// What a launch of the fused network has to do at the least.
#pragma once

#include "fused/launch.hpp"

#include <string>

namespace vsr::bench {

struct Work {
  std::string kernel;  // with what tells it from others: "rows 64->64 + 1"
  double flop = 0;     // of products; a multiply and an add count two
  double bytes = 0;    // each input and output once
};

Work work_of(const model::fused::Launch& launch);

}  // namespace vsr::bench
