#include "vsr/job/job_file.hpp"

#include "job_keys.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

namespace vsr {

namespace {

namespace po = boost::program_options;

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

[[noreturn]] void refuse_unknown(const std::string& key, const std::string& where) {
  const std::string nearest = nearest_key(key);
  throw Error(ErrorCode::kUsage,
              format("{}unknown key '{}'{}; 'vsr-dist --help' lists all keys",
                     where,
                     key,
                     nearest.empty() ? "" : format(", did you mean '{}'?", nearest)));
}

void apply(const KeyValues& values, const std::string& base_dir, Job& job) {
  for (const auto& [name, text] : values) {
    const JobKey* key = find_key(name);
    if (key == nullptr) refuse_unknown(name, "");
    std::string value = text;
    const bool is_word = name == "model.checkpoint" && value == "embedded";
    if (key->is_path && !is_word && !value.empty() && !base_dir.empty() &&
        std::filesystem::path(value).is_relative()) {
      value = (std::filesystem::path(base_dir) / value).lexically_normal().string();
    }
    bool understood = false;
    try {
      understood = key->parse(job, value);
    } catch (Error& error) {
      error.add_context(name);
      throw;
    }
    if (!understood) {
      throw Error(ErrorCode::kUsage,
                  format("{} = '{}' is not allowed; allowed: {}", name, value, key->allowed));
    }
  }
}

}  // namespace

std::string nearest_key(const std::string& key) {
  std::string nearest;
  std::size_t least = std::max<std::size_t>(2, key.size() / 3) + 1;
  for (const JobKey& known : job_keys()) {
    std::size_t distance = edit_distance(key, known.name);
    // Right word, wrong section: nearer than the letters say.
    const auto word = [](const std::string& name) { return name.substr(name.find('.') + 1); };
    if (word(known.name) == word(key)) distance = std::min<std::size_t>(distance, 1);
    if (distance < least) {
      least = distance;
      nearest = known.name;
    }
  }
  return nearest;
}

namespace {

KeyValues read_values(std::istream& file, const std::string& path) {
  po::parsed_options parsed(nullptr);
  try {
    const po::options_description none;
    parsed = po::parse_config_file(file, none, true);
  } catch (const po::error& failure) {
    throw Error(ErrorCode::kUsage,
                format("{}: not in the form of a job file ({})", path, failure.what()));
  }
  KeyValues values;
  std::set<std::string> seen;
  for (const auto& option : parsed.options) {
    const std::string& name = option.string_key;
    if (find_key(name) == nullptr) refuse_unknown(name, path + ": ");
    if (!seen.insert(name).second) {
      throw Error(ErrorCode::kUsage, format("{}: {} is given twice", path, name));
    }
    values.emplace_back(name, option.value.empty() ? std::string() : option.value.front());
  }
  return values;
}

}  // namespace

KeyValues read_job_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw Error(ErrorCode::kUsage, format("{}: the job file cannot be opened", path));
  }
  return read_values(file, path);
}

Job parse_job_text(const std::string& text) {
  std::istringstream file(text);
  Job job;
  apply(read_values(file, "job"), "", job);
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
    refuse(
        format("input.end = {} lies before input.start = {}", job.input.end_s, job.input.start_s));
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
    text += format("{} = {}\n", key.name.substr(point + 1), key.print(job));
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
