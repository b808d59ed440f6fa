// The run directory: every name in it is made and parsed here, and here it is decided what counts
// as done. Layout in docs/run-directory.md.
//
// Commit protocol: mezzanine first (published whole), then its record. A segment is done when its
// record decodes, belongs to this plan, and its mezzanine has the size the record says. Undoing
// goes the other way: the record first.
//
// Threads: const functions may be called from any thread.
#pragma once

#include "vsr/store/plan_file.hpp"
#include "vsr/store/record.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vsr::store {

// What a run commits piece by piece: a segment's mezzanine, or the chunk of the film that was
// encoded of it. Each piece has a file, a record of its own, and a plan that tells what it is made
// for.
enum class Piece { kSegment, kChunk };

class RunDirectory {
 public:
  // Makes the folders that are missing. Throws Error(kStorage), also when the directory cannot be
  // written.
  explicit RunDirectory(std::filesystem::path root);
  // Whether a run was ever begun in this folder. Makes nothing.
  static bool is_at(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }

  std::filesystem::path plan_file() const;
  std::filesystem::path lock_file() const;
  std::filesystem::path job_file() const;
  // `extension`: ".mov", or "" for a folder of pictures.
  std::filesystem::path mezzanine(int segment,
                                  const std::string& extension,
                                  Piece piece = Piece::kSegment) const;
  std::filesystem::path record_file(int segment, Piece piece = Piece::kSegment) const;
  std::filesystem::path timeline_mezzanine() const;
  std::filesystem::path final_dir() const;
  // Says for which settings and segments the final films were made.
  std::filesystem::path final_stamp() const;
  std::filesystem::path log_file(int rank) const;
  // For Leases, which makes it.
  std::filesystem::path leases_dir() const;

  // Nothing when there is no plan yet. Throws Error(kStorage) when it cannot be read.
  std::optional<Plan> read_plan() const;
  void write_plan(const Plan& plan) const;

  // Writes the record: from here on the piece counts as done.
  void commit(const Record& record, Piece piece = Piece::kSegment) const;
  // The record if the piece was done under this plan, be its file there still or not. `why_not`
  // (may be null) as below.
  std::optional<Record> recorded(const Plan& plan,
                                 const Segment& segment,
                                 std::string* why_not,
                                 Piece piece = Piece::kSegment) const;
  // The record if the piece is done under this plan. `why_not` (may be null) says what is wrong
  // with what is there; empty if nothing is there.
  std::optional<Record> committed(const Plan& plan,
                                  const Segment& segment,
                                  const std::string& extension,
                                  std::string* why_not,
                                  Piece piece = Piece::kSegment) const;
  // Removes the file and leaves the record, which tells how it was made.
  void discard_file(int segment, const std::string& extension, Piece piece = Piece::kSegment) const;
  // Removes the record, then the file.
  void discard(int segment, const std::string& extension, Piece piece = Piece::kSegment) const;

 private:
  std::filesystem::path root_;
};

// "HDF5 1.10.8", for --version.
std::string hdf5_version();

// "0007" <-> 7; nothing for a name that is not made so.
std::string segment_name(int segment);
std::optional<int> parse_segment_name(const std::string& name);

// Holds a run directory against a second vsr-dist on the same files, until destroyed or until the
// process ends however it ends.
class RunLock {
 public:
  // Throws Error(kStorage) naming host and process of the holder.
  explicit RunLock(const RunDirectory& directory);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace vsr::store
