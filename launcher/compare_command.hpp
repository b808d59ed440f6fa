// `vsr-dist compare A B -o OUT`: two films side by side, or split down the middle, as a video or as
// one picture.
#pragma once

#include "arguments.hpp"

namespace vsr::launcher {

// 0; 130 or 143 when stopped, with nothing left behind. Throws Error(kUsage), Error(kInput),
// Error(kStorage).
int run_compare(const Arguments& arguments);

}  // namespace vsr::launcher
