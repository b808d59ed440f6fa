// All that is known of a run, out of its directory: for the ledger and the report.
#pragma once

#include "vsr/status/report.hpp"
#include "vsr/store/ledger_file.hpp"
#include "vsr/store/run_directory.hpp"

#include <cstdint>
#include <filesystem>
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

  // Reads what is new. Returns whether anything was.
  bool update();
  // The same by names alone, which is little work for a shared file system: what has changed under
  // a name that was there already is left to update().
  bool update_new();

  const store::RunDirectory& directory() const { return directory_; }

  // As of the last of these.
  const store::RunLedger& run() const { return data_.run; }

  // The same, with pictures and sizes.
  status::ReportData report_data() const;

 private:
  // Tells a file from the one that had its name before.
  using Look = std::optional<std::pair<std::filesystem::file_time_type, std::uintmax_t>>;

  struct Known {
    Look look;
    std::string problem;
  };

  void read_job();
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
  std::vector<Known> segments_;
  std::vector<Known> chunks_;
  std::string job_problem_;
  std::vector<std::string> start_problems_;
  std::optional<store::Record> last_;  // taken: segment and luma alone
};

}  // namespace vsr::launcher
