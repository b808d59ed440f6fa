// A system call on a file that failed, as an Error. Private.
#pragma once

#include <filesystem>
#include <string_view>

namespace vsr {

// `error`: a value of errno. Throws DiskFull or Error(kStorage): "path: doing: reason".
[[noreturn]] void fail_on_file(const std::filesystem::path& path,
                               std::string_view doing,
                               int error);

}  // namespace vsr
