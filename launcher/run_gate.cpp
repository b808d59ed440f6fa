#include "run_gate.hpp"

#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <utility>

namespace vsr::launcher {

namespace {

constexpr auto kLookEvery = std::chrono::seconds(2);

std::string lease_of(const cluster::Piece& piece) {
  return format("{}-{}",
                piece.work == cluster::Work::kEncode ? "chunk" : "segment",
                store::segment_name(piece.segment));
}

}  // namespace

RunGate::RunGate(const store::RunDirectory& directory,
                 RunLeases& leases,
                 Space& space,
                 std::vector<Kind> kinds,
                 std::function<bool()> film_made,
                 std::function<bool(int missing)> looked)
    : directory_(directory),
      leases_(leases),
      space_(space),
      kinds_(std::move(kinds)),
      ask_film_(std::move(film_made)),
      looked_(std::move(looked)),
      watching_([this] { watch(); }) {}

RunGate::~RunGate() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  over_changed_.notify_all();
  watching_.join();
}

const RunGate::Kind& RunGate::kind_of(cluster::Work work) const {
  return *std::find_if(
      kinds_.begin(), kinds_.end(), [&](const Kind& kind) { return kind.work == work; });
}

cluster::Gate::Answer RunGate::ask(const cluster::Piece& piece) {
  const Kind& kind = kind_of(piece.work);
  const Segment& segment = kind.pieces.plan.segments.at(static_cast<std::size_t>(piece.segment));
  const std::string name = kind.pieces.describe(piece.segment);
  if (!space_.begin(name, kind.bytes(segment))) return Answer::kNoRoom;
  try {
    const bool taken = leases_.take(lease_of(piece));
    // With the film pieces may go (segment.keep = off), their records too.
    if (taken && ask_film_()) film_is_made_ = true;
    if (taken && !film_is_made_ && !is_made(piece)) return Answer::kYes;
    if (taken) leases_.release(lease_of(piece));  // its news is on the way
    space_.over(name, false);
    return Answer::kTakenElsewhere;
  } catch (const DiskFull&) {
    space_.over(name, true);
    return Answer::kNoRoom;
  }
}

void RunGate::over(const cluster::Piece& piece, bool disk_full) {
  space_.over(kind_of(piece.work).pieces.describe(piece.segment), disk_full);
  leases_.release(lease_of(piece));
}

std::vector<cluster::Piece> RunGate::news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

// Who takes a lease just after its holder has committed and released does not know of it yet.
bool RunGate::is_made(const cluster::Piece& piece) const {
  for (const Kind& kind : kinds_) {
    // A chunk stands for its segment too: the mezzanine may be gone.
    const bool counts = kind.work == piece.work || kind.work == cluster::Work::kEncode;
    const Segment& segment = kind.pieces.plan.segments.at(static_cast<std::size_t>(piece.segment));
    if (counts && directory_.committed(kind.pieces.plan, segment, nullptr, kind.pieces.piece)) {
      return true;
    }
  }
  return false;
}

void RunGate::watch() {
  std::unique_lock lock(mutex_);
  while (!over_changed_.wait_for(lock, kLookEvery, [this] { return over_; })) {
    lock.unlock();
    std::vector<cluster::Piece> news;
    try {
      news = look();
      if (ask_film_()) film_is_made_ = true;
      const std::vector<bool>& known = kinds_.back().known;
      if (looked_) {
        others_upscale_ = looked_(static_cast<int>(std::count(known.begin(), known.end(), false)));
      }
    } catch (const std::exception& error) {
      log::debug("store", "the run directory cannot be looked at: {}", error.what());
    }
    lock.lock();
    news_.insert(news_.end(), news.begin(), news.end());
  }
}

// Records that are new and hold.
std::vector<cluster::Piece> RunGate::look() {
  std::vector<cluster::Piece> news;
  for (Kind& kind : kinds_) {
    for (const int index : directory_.recorded_segments(kind.pieces.piece)) {
      const auto at = static_cast<std::size_t>(index);
      if (at >= kind.known.size() || kind.known[at]) continue;
      // What did not hold is read again when it is another file.
      std::error_code gone;
      const auto written =
          std::filesystem::last_write_time(directory_.record_file(index, kind.pieces.piece), gone);
      const auto refused = kind.refused.find(index);
      if (gone || (refused != kind.refused.end() && refused->second == written)) continue;
      const Segment& segment = kind.pieces.plan.segments[at];
      if (!directory_.committed(kind.pieces.plan, segment, nullptr, kind.pieces.piece)) {
        kind.refused[index] = written;
        continue;
      }
      kind.known[at] = true;
      // The mezzanine of a chunk may be gone, and does not matter any more.
      if (kind.work == cluster::Work::kEncode) kinds_.back().known[at] = true;
      news.push_back({kind.work, index});
    }
  }
  return news;
}

}  // namespace vsr::launcher
