// What the report says of a run, in figures and in words. Private.
#pragma once

#include "report_starts.hpp"
#include "report_text.hpp"
#include "vsr/status/report.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vsr::status {

// Segments upscaled or chunks encoded, together.
struct WorkFigures {
  int pieces = 0;
  std::int64_t frames = 0;
  double active_s = 0;                                 // in which at least one was in hand
  std::vector<std::pair<std::string, double>> busy_s;  // by stage, all pieces together

  double fps() const { return active_s > 0 ? static_cast<double>(frames) / active_s : 0; }
};

// An attempt that came to nothing, as the log told of it.
struct Failure {
  std::string time;
  std::string piece;  // "segment 7", "the chunk of segment 7"
  bool is_chunk = false;
  int segment = 0;
  int rank = 0;
  std::string reason;
  int start = 0;  // among the run's starts
};

struct MeasureFigures {
  std::string name;
  double least = 0;
  double median = 0;
  double most = 0;
  std::int64_t least_frame = 0;
};

struct Figures {
  WorkFigures upscaling;
  WorkFigures encoding;  // of chunks
  std::vector<AtWork> starts;
  double work_s = 0;     // in which a start was at work
  double elapsed_s = 0;  // from the first begin to the last end, pauses and all
  std::vector<Failure> failures;
  std::vector<std::pair<std::string, int>> retried;  // piece, attempt
  std::int64_t frames_measured = 0;                  // by back-projection
  double low_db = 0;                                 // a frame below is worth a look; 0: none is
  std::int64_t frames_low = 0;                       // below that
  std::size_t worst_shown = 0;                       // of the worst pictures, from the first on
  int pieces_unmeasured = 0;                         // segments of whose frames nothing is known
  std::vector<MeasureFigures> measures;
};

Figures figures_of(const ReportData& data);

std::string film_name(const ReportData& data);
// "0:12:31.4" of the film.
std::string time_of_frame(const ReportData& data, std::int64_t frame);
std::string in_words(const ReportData& data, const Figures& figures);
// What is worth a look; empty: nothing.
std::vector<std::string> warnings_of(const ReportData& data, const Figures& figures);
std::vector<std::pair<std::string, std::string>> facts_of(const ReportData& data,
                                                          const Figures& figures);
std::string limit_in_words(const Figures& figures);
std::string quality_in_words(const Figures& figures);
std::string end_in_words(const store::StartFile& start);
std::vector<std::pair<std::string, double>> sizes_of(const ReportData& data);
// As it may be given to a shell again.
std::string command_line(const store::StartFile& start);

// What report.js draws: a JSON document in which no '<' stands.
std::string script_data(const ReportData& data, const Figures& figures);

}  // namespace vsr::status
