// How the checkpoint reader says no: every fault of a file is an Error(kModel). The readers below
// name the place inside the file; whoever opened it adds the file's name.
#pragma once

#include <source_location>
#include <string>
#include <string_view>

namespace vsr::model {

// Throws Error(kModel, text).
[[noreturn]] void refuse(const std::string& text,
                         std::source_location where = std::source_location::current());

// A name out of a file, fit for a one-line message: in quotes, cut after 100 bytes, anything but
// printable ASCII escaped.
std::string in_quotes(std::string_view name);

}  // namespace vsr::model
