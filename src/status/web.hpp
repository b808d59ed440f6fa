// The files of src/status/web, which are inside the program, put together into pages that need no
// other file. Private.
#pragma once

#include <string>
#include <string_view>

namespace vsr::status {

// A file of src/status/web by its name, "page.html". Throws Error(kInternal) for one that is not
// there.
std::string_view web_file(std::string_view name);

// The page `name` with every line that holds nothing but "<!-- include NAME -->" replaced by that
// file: a style sheet within <style>, a script within <script>.
std::string whole_page(std::string_view name);

}  // namespace vsr::status
