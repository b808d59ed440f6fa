#include "vsr/job/job_file.hpp"

#include "ini_text.hpp"
#include "job_keys.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/printable.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace vsr {

namespace {

namespace fs = std::filesystem;

const JobKey* find_key(const std::string& name) {
  for (const JobKey& key : job_keys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

// Sets a key's field from its text.
void set_value(const std::string& name, const std::string& value, Job& job) {
  const JobKey* key = find_key(name);
  if (key == nullptr) {
    const std::string nearest = nearest_key(name);
    throw Error(ErrorCode::kUsage,
                format("unknown key '{}'{}; 'vsr-dist --help' lists all keys",
                       printable(name),
                       nearest.empty() ? "" : format(", did you mean '{}'?", nearest)));
  }
  bool understood = false;
  try {
    understood = key->parse(job, value);
  } catch (Error& error) {
    error.add_context(name);
    throw;
  }
  if (!understood) {
    throw Error(
        ErrorCode::kUsage,
        format("{} = '{}' is not allowed; allowed: {}", name, printable(value), key->allowed));
  }
}

bool is_address(const std::string& name) {
  const std::size_t end = name.find("://");
  return end != std::string::npos && end > 0 &&
         std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' ||
                  c == '.';
         });
}

// "~/film.mkv", "~anna/film.mkv": the shell's short form, which it does not expand behind '='.
bool begins_with_home(const std::string& name) {
  return name == "~" || (name.rfind('~', 0) == 0 && name.find('/') != std::string::npos);
}

// What a user wrote: as set_value, file names made whole.
void set_written_value(const std::string& name,
                       const std::string& text,
                       const std::string& base_dir,
                       Job& job) {
  const JobKey* key = find_key(name);
  const bool is_word = name == "model.checkpoint" && text == "embedded";
  if (key == nullptr || !key->is_path || is_word || text.empty()) {
    set_value(name, text, job);
    return;
  }
  if (is_address(text)) {
    throw Error(ErrorCode::kUsage,
                format("{} = '{}': addresses are not read; download the file first and give its "
                       "name",
                       name,
                       printable(text)));
  }
  if (begins_with_home(text)) {
    throw Error(ErrorCode::kUsage,
                format("{} = '{}': ~ is not expanded; write the folder's whole name (or ./~ for a "
                       "file whose name begins so)",
                       name,
                       printable(text)));
  }
  const bool join = !base_dir.empty() && fs::path(text).is_relative();
  set_value(name, join ? (fs::path(base_dir) / text).lexically_normal().string() : text, job);
}

void apply(const KeyValues& values, const std::string& base_dir, Job& job) {
  for (const auto& [name, text] : values) set_written_value(name, text, base_dir, job);
}

// The content of a job file, or as much of it as shows that it is none.
std::string read_text(const std::string& path) {
  const std::string shown = printable(path);
  const auto refuse = [&](const std::string& fault) {
    throw Error(ErrorCode::kUsage, shown + fault);
  };
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) refuse(" is a folder: name the job file in it");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int reason = errno;
    std::string hint;
    if (begins_with_home(path)) hint = "; ~ is not expanded, write the folder's whole name";
    if (is_address(path)) hint = "; addresses are not read";
    for (const std::string command : {"selftest", "doctor", "status", "report", "compare"}) {
      if (reason == ENOENT && edit_distance(path, command) <= 2) {
        hint = format("; did you mean 'vsr-dist {}'?", command);
      }
    }
    refuse(format(": the job file cannot be opened: {}{}", std::strerror(reason), hint));
  }
  constexpr std::size_t kEnough_bytes = 2 << 20;
  std::string text(kEnough_bytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) refuse(": the job file cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

std::string nearest_key(const std::string& key) {
  std::string wanted = key;
  for (char& c : wanted) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto word = [](const std::string& name) { return name.substr(name.find('.') + 1); };
  std::string nearest;
  std::pair least(std::max<std::size_t>(2, key.size() / 3) + 1, std::size_t{0});
  for (const JobKey& known : job_keys()) {
    const std::size_t letters = edit_distance(wanted, known.name);
    // Right word, wrong section: nearer than the letters say, but not than a slip of the finger.
    const bool same_word = word(known.name) == word(wanted);
    const std::pair distance(same_word ? std::min<std::size_t>(letters, 2) : letters, letters);
    if (distance < least) {
      least = distance;
      nearest = known.name;
    }
  }
  return nearest;
}

KeyValues read_job_file(const std::string& path) {
  KeyValues values;
  Job tried;
  for (IniEntry& entry : parse_ini(read_text(path), path)) {
    try {
      set_written_value(entry.name, entry.value, "", tried);
    } catch (Error& error) {
      error.add_context(ini_place(path, entry.line));
      throw;
    }
    values.emplace_back(std::move(entry.name), std::move(entry.value));
  }
  return values;
}

Job parse_job_text(const std::string& text) {
  Job job;
  for (const IniEntry& entry : parse_ini(text, "job")) set_value(entry.name, entry.value, job);
  return job;
}

Job make_job(const KeyValues& file_values,
             const KeyValues& command_values,
             const std::string& base_dir,
             const std::string& current_dir) {
  // A first pass finds the preset; the second lets the job's own keys override what it sets.
  Job first;
  apply(file_values, base_dir, first);
  apply(command_values, current_dir, first);
  Job job;
  apply_preset(first.preprocess.preset, job);
  apply(file_values, base_dir, job);
  apply(command_values, current_dir, job);
  check_job(job);
  return job;
}

void check_job(const Job& job) {
  const auto refuse = [](const std::string& text) { throw Error(ErrorCode::kUsage, text); };
  if (job.input.file.empty()) refuse("input.file is missing: name the film");
  if (job.input.end_s != 0 && job.input.end_s <= job.input.start_s) {
    refuse(format(
        "input.end = {} does not lie after input.start = {}", job.input.end_s, job.input.start_s));
  }
  const PreprocessOptions& pre = job.preprocess;
  if (!pre.filters.empty()) {
    const bool others = pre.width != 0 || pre.height != 0 || pre.crop.has_value() ||
                        pre.deinterlace == Deinterlace::kBwdif || pre.preset != Preset::kNone ||
                        pre.matrix_out.has_value();
    if (others) {
      refuse(
          "preprocess.filters replaces preset, width, height, crop, deinterlace and matrix_out: "
          "put them into the graph, or leave filters empty");
    }
  }
  if ((pre.width == 0) != (pre.height == 0)) {
    refuse("preprocess.width and preprocess.height go together: give both or neither");
  }
  if (pre.crop && pre.width != 0 &&
      (pre.crop->x + pre.crop->width > pre.width || pre.crop->y + pre.crop->height > pre.height)) {
    refuse(format("preprocess.crop = {}:{}:{}:{} reaches outside the {}x{} picture",
                  pre.crop->width,
                  pre.crop->height,
                  pre.crop->x,
                  pre.crop->y,
                  pre.width,
                  pre.height));
  }
  if (job.stream.max_seq_len != 0 && job.stream.max_seq_len <= 2 * job.stream.overlap) {
    refuse(
        format("stream.max_seq_len = {} leaves nothing between two overlaps of {} frames: make "
               "it longer than {}, or stream.overlap shorter",
               job.stream.max_seq_len,
               job.stream.overlap,
               2 * job.stream.overlap));
  }
  const TileChoice& tile = job.stream.tile;
  if (tile.kind == TileChoice::Kind::kSize &&
      std::min(tile.width, tile.height) <= 2 * job.stream.tile_overlap) {
    refuse(
        format("stream.tile = {}x{} leaves nothing between two overlaps of {} pixels: make it "
               "larger than {}, or stream.tile_overlap smaller",
               tile.width,
               tile.height,
               job.stream.tile_overlap,
               2 * job.stream.tile_overlap));
  }
  if (job.segment.codec == SegmentCodec::kNone && job.final.encoder == "copy") {
    refuse("segment.codec = none leaves no mezzanines that final.encoder = copy could join");
  }
  if (job.final.encoder == "copy" && job.final.height != 0) {
    refuse("final.encoder = copy joins the mezzanines as they are: set final.height = native");
  }
  if (job.final.height % 2 != 0) refuse("final.height must be even");
}

std::string print_job(const Job& job, bool with_help) {
  std::string text;
  std::string section;
  for (const JobKey& key : job_keys()) {
    const std::size_t point = key.name.find('.');
    if (key.name.substr(0, point) != section) {
      section = key.name.substr(0, point);
      text += format("{}[{}]\n", text.empty() ? "" : "\n", section);
    }
    if (with_help) text += format("# {} ({})\n", key.help, key.allowed);
    text += format("{} = {}\n", key.name.substr(point + 1), ini_value(key.print(job)));
  }
  return text;
}

std::map<std::string, std::string> job_values(const Job& job) {
  std::map<std::string, std::string> values;
  for (const JobKey& key : job_keys()) values[key.name] = key.print(job);
  return values;
}

bool changes_segments(const std::string& name) {
  const JobKey* key = find_key(name);
  return key != nullptr && key->affects == Affects::kSegments;
}

bool changes_final(const std::string& name) {
  const JobKey* key = find_key(name);
  return key != nullptr && key->affects == Affects::kFinal;
}

std::vector<std::pair<std::string, std::string>> job_key_help() {
  const Job defaults;
  std::vector<std::pair<std::string, std::string>> help;
  for (const JobKey& key : job_keys()) {
    const std::string value = key.print(defaults);
    help.emplace_back(
        key.name,
        format("{} ({}; default {})", key.help, key.allowed, value.empty() ? "empty" : value));
  }
  return help;
}

}  // namespace vsr
