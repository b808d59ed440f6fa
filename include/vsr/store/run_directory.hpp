// The run directory: every name in it is made and parsed here, and here it is decided what counts
// as done. Layout in docs/run-directory.md.
//
// Commit protocol: the mezzanine first (published whole, under a name of this attempt alone), then
// the record that names it. A segment is done when its record decodes, belongs to this plan, and
// the file it names has the size it says. So one rename decides, and of several who make the same
// piece (jobs that share a run, a rank that was taken for dead) none can spoil what another made.
// Undoing goes the other way: the record first.
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
  // The run that was begun in this folder, to look at. Makes nothing.
  static std::optional<RunDirectory> find(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }

  std::filesystem::path plan_file() const;
  std::filesystem::path lock_file() const;
  std::filesystem::path job_file() const;
  // For a new attempt at a piece: a name that no other attempt has, "segments/0007-3f2a91c4.mov".
  // `extension`: ".mov", or "" for a folder of pictures.
  std::filesystem::path new_file(int segment,
                                 const std::string& extension,
                                 Piece piece = Piece::kSegment) const;
  // What a record names.
  std::filesystem::path file_of(const Record& record, Piece piece = Piece::kSegment) const;
  std::filesystem::path record_file(int segment, Piece piece = Piece::kSegment) const;
  std::filesystem::path timeline_mezzanine() const;
  std::filesystem::path final_dir() const;
  // Makes a folder in final_dir() for films that are being made, "making-3f2a91c4".
  std::filesystem::path new_final_folder() const;
  // Removes all of these.
  void sweep_final() const;
  // Says for which settings and segments the final films were made.
  std::filesystem::path final_stamp() const;
  // The films of the last stamp, whatever it says they were made for; empty while there is none.
  std::vector<std::filesystem::path> films() const;
  // `job`: names a job beside the one that was here first; empty for that one.
  std::filesystem::path log_file(int rank, const std::string& job = "") const;
  // The ledger, for people; the records decide.
  std::filesystem::path run_file() const;
  std::filesystem::path report_file() const;
  // Of all invocations, a file each; those that are there, by name, the first one first.
  std::filesystem::path start_file(const std::string& name) const;
  std::vector<std::string> starts() const;
  // Writes one of these three. `writer`, which nobody else has who is at work here, names the part
  // file.
  void write_for_people(const std::filesystem::path& file,
                        const std::string& content,
                        const std::string& writer) const;
  // Removes the part files of those that were killed meanwhile; nobody may be at work here.
  void sweep_for_people() const;
  // For Leases, which makes it.
  std::filesystem::path leases_dir() const;
  // How a job at work here is, or was when it ended; `job`: the name of its lease.
  std::filesystem::path status_file(const std::string& job) const;
  // All there are, by their jobs.
  std::vector<std::string> jobs_with_status() const;

  // Nothing when there is no plan yet. Throws Error(kStorage) when it cannot be read.
  std::optional<Plan> read_plan() const;
  void write_plan(const Plan& plan) const;

  // Writes the record: from here on the piece counts as done. What other attempts left goes. When
  // somebody else has done it meanwhile, his stands: the record's file is removed, and false
  // returned.
  bool commit(const Plan& plan, const Record& record, Piece piece = Piece::kSegment) const;
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
                                  std::string* why_not,
                                  Piece piece = Piece::kSegment) const;
  // A segment's preview of this kind, of whatever plan its record is; nothing where there is none.
  // Throws Error(kStorage) for a record that cannot be read.
  std::optional<Preview> preview(int segment, const std::string& kind) const;
  // Segments that have a record, whatever it says, ascending.
  std::vector<int> recorded_segments(Piece piece = Piece::kSegment) const;
  // Removes the file and leaves the record, which tells how it was made.
  void discard_file(const Record& record, Piece piece = Piece::kSegment) const;
  // Removes the record, then every file of the piece.
  void discard(int segment, Piece piece = Piece::kSegment) const;

 private:
  RunDirectory() = default;
  // Removes every file of the piece but the one of this name.
  void sweep(int segment, const std::string& keep, Piece piece) const;

  std::filesystem::path root_;
};

// "HDF5 1.10.8", for --version.
std::string hdf5_version();

// "0007" <-> 7; nothing for a name that is not made so.
std::string segment_name(int segment);
std::optional<int> parse_segment_name(const std::string& name);

// A file of a piece, by its name within a run directory: an attempt's,
// "segments/0007-3f2a91c4.mov", the record, "segments/0007.h5", or one that an attempt brings,
// "segments/0007-3f2a91c4.mov.h5".
struct PieceFile {
  Piece piece = Piece::kSegment;
  int segment = 0;
  bool is_record = false;
  bool is_attempt = false;
};

// Nothing for a name that is not made so; whatever it gives something for lies in the folder of the
// piece.
std::optional<PieceFile> parse_piece_file(const std::string& name);

// Says that a vsr-dist works in a run directory, until destroyed or until the process ends however
// it ends. Jobs that share a run hold it together; who wants to move the run away holds it alone.
class RunLock {
 public:
  enum class Hold { kTogether, kAlone };
  // Throws Error(kStorage) naming host and process of the last one that has signed.
  RunLock(const RunDirectory& directory, Hold hold);

  // Whether nobody else held it then, as far as the file system tells.
  bool was_alone() const { return was_alone_; }

  // Leaves process and host in the file, for people and messages.
  void sign() const;

  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
  bool was_alone_ = false;
};

}  // namespace vsr::store
