// The text of final.params: "key=value:key=value", as x265 and x264 write it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::assemble {

using EncoderParams = std::vector<std::pair<std::string, std::string>>;

// Throws Error(kUsage) naming the piece that is no key=value, or a key given twice.
EncoderParams parse_params(std::string_view text);
std::string join_params(const EncoderParams& params);
// Keys are the same key in all spellings that x265 and x264 take: "log-level", "--log_level".
bool has_param(const EncoderParams& params, std::string_view key);
// Puts key=value first unless the user has set the key.
void add_default(EncoderParams& params, std::string key, std::string value);
// Throws Error(kUsage) for a key that may not stand in final.params: what follows from the picture,
// what has a key of its own in the job, and what makes an encoder print, or read and write files.
void refuse_foreign_params(const EncoderParams& params);

}  // namespace vsr::assemble
