// Text from outside (names, values, what a file holds) as it may stand in a message.
#pragma once

#include <string>
#include <string_view>

namespace vsr {

// `text` with control characters and bytes that are no UTF-8 written as \n, \r, \t or \xNN, so that
// it stays on its line and cannot steer a terminal. Everything else, backslashes too, stands as it
// is: a name is readable, and printing what was printed changes nothing.
std::string printable(std::string_view text);
// `text`, which is UTF-8, as it may stand between the quotes of a JSON string.
std::string json_escaped(std::string_view text);

}  // namespace vsr
