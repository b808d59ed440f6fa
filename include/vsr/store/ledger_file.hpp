// The ledger, RUN/run.h5: all that is known of a run in one HDF5 file, for people who plot it.
// Everything in it stands in the records, the plan and the files of the starts too, so it can be
// made anew at any time; docs/ledger.md tells every dataset.
#pragma once

#include "vsr/store/plan_file.hpp"
#include "vsr/store/record.hpp"
#include "vsr/store/start_file.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vsr::store {

inline constexpr int kLedgerVersion = 1;

// Where two segments meet, as assemble::Seam measures it.
struct LedgerSeam {
  int segment = 0;         // that begins there
  std::int64_t frame = 0;  // its first one that is shown
  double likeness_db = 0;  // of what both made of the frames beside it; NaN: no frame exists twice
  double step = 0;         // what changes across it, of 255 levels
  double usual_step = 0;   // what changes between two frames of one segment there
  bool may_be_seen = false;
};

// A record without luma, previews and packets' CRCs, of which `content_crc32` is left: CRC-32 over
// all of them, little-endian, in order. Pieces of equal packets have equal ones.
struct LedgerPiece : Record {
  std::uint32_t content_crc32 = 0;
};

LedgerPiece ledger_piece(Record record);

using LedgerPieces = std::vector<std::optional<LedgerPiece>>;

// A run as it is known.
struct RunLedger {
  Plan plan;
  std::map<std::string, std::string> job;                 // keys as resolved, without secrets
  std::vector<std::pair<std::string, StartFile>> starts;  // by name, the first one first
  bool in_chunks = false;                                 // the film is encoded piece by piece
  std::string chunk_fingerprint;                          // of the chunks' plan, if so
  LedgerPieces segments;                                  // in the plan's order
  LedgerPieces chunks;                                    // likewise; empty unless in_chunks
  std::vector<LedgerSeam> seams;                          // where both segments are there, by frame
  std::string written;                                    // UTC, ISO 8601
};

// A value for each frame of the timeline, NaN where nothing was measured.
std::vector<float> by_frame(const RunLedger& run, std::vector<float> FrameMeasures::*measure);
// Of the film's encoding: a chunk's time, shared evenly.
std::vector<float> film_encode_s_by_frame(const RunLedger& run);

// The bytes of an HDF5 file.
std::string encode_ledger(const RunLedger& run);
// The segments, chunks and seams of a file that encode_ledger() wrote for this plan; windows are
// not in it, and job and starts are not read. Throws Error(kStorage), also where it was written
// for another plan.
RunLedger decode_ledger(const std::string& bytes, const Plan& plan);

}  // namespace vsr::store
