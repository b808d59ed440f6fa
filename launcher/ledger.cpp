#include "ledger.hpp"

#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/cluster/task.hpp"

#include <algorithm>
#include <utility>

namespace vsr::launcher {

std::string Pieces::describe(int index) const {
  return cluster::describe(
      piece == store::Piece::kChunk ? cluster::Work::kEncode : cluster::Work::kUpscale, index);
}

Ledger read_ledger(const store::RunDirectory& directory,
                   const Pieces& pieces,
                   const Ledger& not_needed) {
  Ledger records;
  for (const Segment& segment : pieces.plan.segments) {
    std::string why;
    records.push_back(directory.committed(pieces.plan, segment, &why, pieces.piece));
    if (records.back()) {
      records.back()->seam_luma.clear();
      records.back()->previews.clear();
    }
    const auto index = static_cast<std::size_t>(segment.index);
    if (!records.back() && !why.empty() && (not_needed.empty() || !not_needed[index])) {
      log::warning("store", "{} has to be made again: {}", pieces.describe(segment.index), why);
    }
  }
  return records;
}

store::Record record_of(const store::Plan& plan,
                        const Segment& segment,
                        const std::filesystem::path& file,
                        const media::WrittenMezzanine& written) {
  store::Record record;
  record.segment = segment;
  record.plan_fingerprint = plan.fingerprint();
  record.file = file.filename().string();
  record.frames = written.frames;
  record.bytes = written.bytes;
  record.checksums = written.checksums;
  record.host = host_name();
  return record;
}

int count(const Ledger& ledger) {
  return static_cast<int>(
      std::count_if(ledger.begin(), ledger.end(), [](const auto& r) { return r.has_value(); }));
}

bool discard_if_damaged(const store::RunDirectory& directory, const Pieces& pieces, int index) {
  const Segment& segment = pieces.plan.segments.at(static_cast<std::size_t>(index));
  const auto record = directory.committed(pieces.plan, segment, nullptr, pieces.piece);
  if (!record) return false;
  const auto damage =
      media::find_damage(directory.file_of(*record, pieces.piece), pieces.codec, record->checksums);
  if (!damage) return false;
  log::warning("store", "{} has to be made again: {}", pieces.describe(index), *damage);
  directory.discard(index, pieces.piece);
  return true;
}

}  // namespace vsr::launcher
