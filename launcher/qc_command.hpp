// `vsr-dist qc A B`: how far two films are apart, frame by frame.
#pragma once

#include "arguments.hpp"

namespace vsr::launcher {

// Prints the result, and writes the table of frames. 0 when all frames that belong together were
// compared, else, with what could be told printed all the same, Error(kInput): a film fails on the
// way, or the bound is not reached. 130 or 143: stopped, with what was known by then printed.
// Throws Error(kUsage), Error(kStorage).
int run_qc(const Arguments& arguments);

}  // namespace vsr::launcher
