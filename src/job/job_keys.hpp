// The table of all job keys. Private to the room.
#pragma once

#include "vsr/job/job.hpp"

#include <functional>
#include <string>
#include <vector>

namespace vsr {

// What a key's change makes worthless.
enum class Affects { kSegments, kFinal, kNothing };

struct JobKey {
  std::string name;     // "section.key"
  std::string allowed;  // "auto, off, bwdif" or "a whole number from 1 to 100000"
  std::string help;     // one line
  Affects affects;
  bool is_path;  // relative to the job file's folder
  // Sets the field; false when `text` is not as `allowed` says.
  std::function<bool(Job&, const std::string& text)> parse;
  std::function<std::string(const Job&)> print;
};

const std::vector<JobKey>& job_keys();

// Sets what a preset stands for; the job's own keys come after it.
void apply_preset(Preset preset, Job& job);

}  // namespace vsr
