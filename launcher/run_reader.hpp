// All that is known of a run, out of its directory: for the ledger and the report, and while it is
// at work for its status and the log.
#pragma once

#include "vsr/assemble/seams.hpp"
#include "vsr/cluster/task.hpp"
#include "vsr/job/job.hpp"
#include "vsr/status/report.hpp"
#include "vsr/store/ledger_file.hpp"
#include "vsr/store/run_directory.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vsr::launcher {

// Reads each record once and keeps what is small of it. Threads: one at a time.
class RunReader {
 public:
  // Throws Error(kStorage) where no run was planned. What cannot be used of it later on is told
  // among the report's problems.
  explicit RunReader(store::RunDirectory directory);
  // Of an open run.
  RunReader(store::RunDirectory directory, store::Plan plan, const Job& job);

  // Hears each record that is read from now on, whole, by whoever has it read.
  using Hear = std::function<void(const cluster::Piece&, const store::Record&)>;

  void on_record(Hear hear) { hear_ = std::move(hear); }

  // Reads what is new. Returns whether anything was.
  bool update();
  // The same by names alone, which is little work for a shared file system: what has changed under
  // a name that was there already is left to update().
  bool update_new();

  const store::RunDirectory& directory() const { return directory_; }

  // As of the last of these.
  const store::RunLedger& run() const { return data_.run; }

  // Where segments meet that are both there, by the one that begins there: with every frame that
  // both have, unless they were gone before this looked.
  const std::map<int, assemble::Seam>& seams() const { return seams_; }

  // All of it, with pictures and sizes.
  status::ReportData report_data() const;

 private:
  // Tells a file from the one that had its name before.
  using Look = std::optional<std::pair<std::filesystem::file_time_type, std::uintmax_t>>;

  static Look look_at(const std::filesystem::path& file);

  struct Known {
    Look look;
    std::string problem;
  };

  void take_plan(store::Plan plan);
  void take_job(const Job& job);
  bool read(bool all);
  void read_starts();
  bool read_pieces(store::Piece piece,
                   const store::Plan& plan,
                   store::LedgerPieces& records,
                   bool all);
  // Whether films were made of what this run makes: then records may go, and what they said stands.
  bool is_made() const;
  void take(store::Record record, store::Piece piece, store::LedgerPieces& records);
  void forget_pictures(int segment);
  void take_pictures(const store::Record& record);
  // Measures the seams on both sides of a segment that is new.
  void measure_seams(const store::Record& record);
  void measure_seam(const store::Record& before, const store::Record& behind);
  void fill_from_ledger();

  store::RunDirectory directory_;
  status::ReportData data_;
  std::optional<store::Plan> chunk_plan_;
  std::string identity_;  // of the films; empty: unknown
  // That was there when an open run had no films: they were moved away, and all is made anew.
  Look stamp_of_gone_;
  std::vector<Known> segments_;
  std::vector<Known> chunks_;
  std::string job_problem_;
  std::vector<std::string> start_problems_;
  std::optional<store::Record> last_;  // taken: segment and luma alone
  std::map<int, assemble::Seam> seams_;
  Hear hear_;
};

}  // namespace vsr::launcher
