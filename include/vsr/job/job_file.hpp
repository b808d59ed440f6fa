// Reads a job: a file of [section] and key = value, `--section.key=value` on the command line, a
// preset, the defaults. Every key stands once in a table (src/job/job_keys.cpp) that binds name,
// meaning, parser and printer.
//
// Faults are Error(kUsage) naming file, line, key and value, what is allowed, and for an unknown
// key the nearest known one. Everything is checked before anything starts.
#pragma once

#include "vsr/job/job.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace vsr {

// "section.key" and its value as text, in the order given.
using KeyValues = std::vector<std::pair<std::string, std::string>>;

// The keys of a job file as text. Form, keys and values are checked; what goes with what is left to
// make_job().
KeyValues read_job_file(const std::string& path);

// Applies a preset named by any of the settings, then `file_values`, then `command_values`.
// Relative file names from the job file are taken from `base_dir` (the job file's folder), those of
// the command line from `current_dir`; where that is empty they are left as they are.
Job make_job(const KeyValues& file_values,
             const KeyValues& command_values,
             const std::string& base_dir = "",
             const std::string& current_dir = "");

// The job that print_job() wrote: how rank 0 tells the others. No preset is applied again, and
// names are taken as they are.
Job parse_job_text(const std::string& text);

// Refuses combinations that cannot work (preprocess.filters beside preprocess.crop, an end before
// the start, ...). make_job() has called it.
void check_job(const Job& job);

// Every key with its resolved value, by section, as a job file that gives the same job again,
// whatever bytes but NUL its names hold.
// with_help: each key preceded by a comment saying what it is.
std::string print_job(const Job& job, bool with_help);

// "section.key" -> value as print_job writes it, but never in quotes; the plan keeps it, and resume
// compares it.
std::map<std::string, std::string> job_values(const Job& job);

// True for keys whose change makes other pictures (so that segments already made are worthless);
// false for those that only concern the final encode or the running.
bool changes_segments(const std::string& key);
// True for keys that the final films depend on, beside the segments.
bool changes_final(const std::string& key);

// Known keys with their help, for --help: {"section.key", "what it is (default ...)"}.
std::vector<std::pair<std::string, std::string>> job_key_help();

// The known key nearest to `key` ("section.key") by edit distance, or "" when none is near.
std::string nearest_key(const std::string& key);

}  // namespace vsr
