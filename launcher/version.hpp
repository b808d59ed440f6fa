// What this program is made of.
#pragma once

#include <string>

namespace vsr::launcher {

// "0.1.0".
std::string program_version();
// A line a library.
std::string all_versions();

}  // namespace vsr::launcher
