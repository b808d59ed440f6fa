// What of a run is made, as its directory says.
#pragma once

#include "vsr/media/segment_writer.hpp"
#include "vsr/store/run_directory.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// The pieces of one kind that a run is made of.
struct Pieces {
  store::Piece piece;
  media::MezzanineCodec codec;
  store::Plan plan;  // what they are made for

  std::string extension() const { return media::mezzanine_extension(codec); }

  // "segment 7", "the chunk of segment 7".
  std::string describe(int index) const;
};

// A record for each segment that is made; without luma and previews, which are megabytes.
using Ledger = std::vector<std::optional<store::Record>>;

// The ledger decides what is done: which pieces hold, now. What is wrong with one that is not done
// is told unless `not_needed` says that it does not matter.
Ledger read_ledger(const store::RunDirectory& directory,
                   const Pieces& pieces,
                   const Ledger& not_needed = {});

// Of a piece that was made for this plan in `file`: what any record says; how it went is left to
// who made it.
store::Record record_of(const store::Plan& plan,
                        const Segment& segment,
                        const std::filesystem::path& file,
                        const media::WrittenMezzanine& written);

int count(const Ledger& ledger);

// Removes a piece whose packets are not what its record says; false if it is good, or not there.
bool discard_if_damaged(const store::RunDirectory& directory, const Pieces& pieces, int index);

}  // namespace vsr::launcher
