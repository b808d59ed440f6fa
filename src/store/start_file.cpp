#include "vsr/store/start_file.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace vsr::store {

namespace {

using Json = nlohmann::json;

constexpr const char* kHidden = "***";

// "https://user:word@host/" -> "https://***@host/".
std::string without_credentials(std::string word) {
  const std::size_t scheme = word.find("://");
  if (scheme == std::string::npos) return word;
  const std::size_t begin = scheme + 3;
  const std::size_t end = word.find('/', begin);
  const std::size_t at = word.substr(0, end).rfind('@');
  if (at != std::string::npos && at > begin) word.replace(begin, at - begin, kHidden);
  return word;
}

}  // namespace

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartRank, rank, host, gpu, cpus, memory_bytes, encodes_only)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartEvent, time, level, rank, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartFile,
                                   command,
                                   launcher,
                                   directory,
                                   program_version,
                                   versions,
                                   host,
                                   pid,
                                   job_name,
                                   begun,
                                   seen,
                                   ended,
                                   exit_status,
                                   message,
                                   ranks,
                                   events,
                                   events_left_out)

std::string encode_start_file(const StartFile& start) {
  Json json;
  json["format"] = "vsr-dist start";
  json["version"] = kStartVersion;
  json.update(Json(start));
  // Words of a command line need not be UTF-8.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

StartFile decode_start_file(const std::string& json) {
  try {
    const Json read = Json::parse(json);
    if (read.at("format") != "vsr-dist start" || read.at("version") != kStartVersion) {
      throw Error(ErrorCode::kStorage, "of another program or version");
    }
    return read.get<StartFile>();
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kStorage, format("not what a start writes: {}", error.what()));
  }
}

bool is_secret_key(const std::string& name) {
  std::string lower = name;
  std::ranges::transform(
      lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<const char*, 5> kWords = {
      "token", "passw", "secret", "credential", "api_key"};
  return std::ranges::any_of(
      kWords, [&](const char* word) { return lower.find(word) != std::string::npos; });
}

std::vector<std::string> without_secrets(std::vector<std::string> words) {
  bool hide_next = false;
  for (std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (hide_next) {
      word = kHidden;
      hide_next = false;
    } else if (equals != std::string::npos) {
      if (is_secret_key(word.substr(0, equals))) {
        word = word.substr(0, equals + 1) + kHidden;
      } else {
        word = without_credentials(word);
      }
    } else if (word.rfind("--", 0) == 0) {
      hide_next = is_secret_key(word);
    } else {
      word = without_credentials(word);
    }
  }
  return words;
}

}  // namespace vsr::store
