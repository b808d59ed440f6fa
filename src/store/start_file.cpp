#include "vsr/store/start_file.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

namespace vsr::store {

namespace {

using Json = nlohmann::json;

constexpr const char* kHidden = "***";

// Where a word begins that says that what belongs to it is secret; npos: nowhere.
std::size_t find_secret(const std::string& text) {
  std::string lower = text;
  std::ranges::transform(
      lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::size_t first = std::string::npos;
  for (const char* word : {"token", "passw", "secret", "credential", "api_key"}) {
    first = std::min(first, lower.find(word));
  }
  return first;
}

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
    auto start = read.get<StartFile>();
    start.message = cut_event(std::move(start.message));
    for (StartEvent& event : start.events) event.text = cut_event(std::move(event.text));
    return start;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kStorage, format("not what a start writes: {}", error.what()));
  }
}

std::string cut_event(std::string text) {
  if (text.size() <= kMostEventBytes) return text;
  constexpr std::string_view kCut = "...";
  std::size_t end = kMostEventBytes - kCut.size();
  const auto within_character = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  while (end > 0 && within_character(end)) --end;
  text.resize(end);
  return text += kCut;
}

bool is_secret_key(const std::string& name) { return find_secret(name) != std::string::npos; }

std::vector<std::string> without_secrets(std::vector<std::string> words) {
  bool hide_next = false;
  bool name_follows = false;  // of a variable whose value is a word of its own
  for (std::string& word : words) {
    if (std::exchange(hide_next, false)) {
      word = kHidden;
      continue;
    }
    const bool may_be_key = word.rfind("--", 0) == 0 || name_follows;
    name_follows = word == "-genv" || word == "-env";
    hide_next = may_be_key && word.find('=') == std::string::npos && is_secret_key(word);
    word = without_credentials(std::move(word));
    // A list of variables, as of srun --export, has secret ones behind others.
    const std::size_t equals = word.find('=', std::min(find_secret(word), word.size()));
    if (equals != std::string::npos) word = word.substr(0, equals + 1) + kHidden;
  }
  return words;
}

}  // namespace vsr::store
