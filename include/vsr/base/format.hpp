// vsr::format: std::format where the library has it, else (GCC 12) fmt's, which is the same for
// what is used here. Never both: an unqualified format(...) with a std::string among its arguments
// finds std::format too, and must find the same function.
#pragma once

#include <version>

#if defined(__cpp_lib_format)
#include <format>

namespace vsr {

using std::format;

template <typename... Args>
using FormatString = std::format_string<Args...>;

}  // namespace vsr
#else
#include <spdlog/fmt/fmt.h>

namespace vsr {

using fmt::format;

template <typename... Args>
using FormatString = fmt::format_string<Args...>;

}  // namespace vsr
#endif
