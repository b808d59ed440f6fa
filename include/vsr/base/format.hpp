// vsr::format, standing in for std::format until GCC 13 is the least compiler.
#pragma once

#include <spdlog/fmt/fmt.h>

namespace vsr {
using fmt::format;
}  // namespace vsr
