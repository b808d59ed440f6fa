// How the run is at this instant, gathered on rank 0 from everything that knows a part of it.
#pragma once

#include "ledger.hpp"
#include "rank_teller.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/cluster/watcher.hpp"
#include "vsr/status/run_status.hpp"
#include "vsr/store/plan_file.hpp"
#include "vsr/store/record.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vsr::launcher {

// What does not change while a run is at work.
struct RunFacts {
  // What the status begins as: names, sizes, in_chunks, host, job_name.
  status::RunStatus run;
  std::vector<Segment> segments;
  std::vector<std::string> hosts;  // of each rank
  // The film is encoded when all is upscaled, in one piece.
  bool encode_follows = false;
};

// Threads: any. Nothing here waits for a disk or a rank.
class StatusBoard : public cluster::Watcher {
 public:
  using Clock = std::chrono::steady_clock;

  // `own`: rank 0's; it has to outlive this.
  StatusBoard(RunFacts facts, RankTeller& own, std::function<Clock::time_point()> now = Clock::now);

  // What is committed when a list begins; `chunks` is empty where there are none. What the records
  // hold is not looked at: see record().
  void begin_list(const Ledger& segments, const Ledger& chunks);
  void progress(const cluster::Progress& progress);
  // cluster::Watcher
  void begun(int rank, const cluster::Task& task) override;
  void over(int rank, const cluster::Piece& piece, bool done) override;
  void made_elsewhere(const cluster::Piece& piece) override;
  void said(int rank, const std::string& status) override;
  void left(int rank) override;
  void waits_for_room(bool waits) override;

  // Of a job that only encodes: segments are missing, and no job upscales them.
  void nobody_upscales(bool nobody);
  // The films are being joined, or encoded: so many frames of them are there.
  void joining(std::int64_t frames);
  void film_made(const std::string& file_name);
  // It is over: "done", "failed", "interrupted". Where the film is made no segment is still to be,
  // whatever became of its record.
  void end(const std::string& state, const std::string& message);
  void notice(status::Notice notice);
  void disk(double bytes_free);
  // What a piece's record says; it need not have been told of otherwise.
  void record(const cluster::Piece& piece, const store::Record& record);

  // Looks how many frames there are; every second, for the rates.
  void tick();
  status::RunStatus status();

  // Hears notices that other ranks have sent; called by tick() and status().
  void on_notice(std::function<void(const status::Notice&)> hear);

 private:
  void take_in();

  struct Rank {
    Clock::time_point heard;
    status::RankStatus status;
    bool left = false;
  };

  // What a rank has said since: its latest status, and lines of notices.
  struct Unheard {
    std::string status;
    std::string notices;
  };

  struct Sample {
    Clock::time_point time;
    std::int64_t upscaled = 0;  // frames, by this job in this start
    std::int64_t encoded = 0;
  };

  // These are called under mutex_.
  status::SegmentStatus& at(int segment) {
    return run_.segments.at(static_cast<std::size_t>(segment));
  }

  void settle(int segment);
  // Frames that are there, those of pieces in hand too.
  std::pair<std::int64_t, std::int64_t> frames() const;
  void keep_history(Clock::time_point now);
  void keep_notice(status::Notice notice);
  void add_rates(status::RunStatus& run) const;
  void add_quality(status::RunStatus& run) const;
  double left_by_frames(const status::RunStatus& run) const;
  void add_time_left(status::RunStatus& run, Clock::time_point now) const;
  status::RankStatus rank_now(std::size_t rank, Clock::time_point now) const;

  const RunFacts facts_;
  RankTeller& own_;
  const std::function<Clock::time_point()> now_;
  const Clock::time_point begin_;
  std::mutex mutex_;
  // All guarded by mutex_.
  status::RunStatus run_;
  std::vector<Rank> ranks_;
  // By segment.
  std::vector<bool> upscaled_;
  std::vector<bool> encoded_;
  std::vector<double> bytes_;                            // of the mezzanine
  std::vector<double> chunk_bytes_;                      // likewise of the chunk
  std::vector<std::int64_t> measured_;                   // frames with a back-projection
  std::vector<Unheard> unheard_;                         // by rank
  std::vector<std::pair<int, cluster::Piece>> in_hand_;  // by ranks
  std::vector<int> silent_;
  bool waits_for_room_ = false;
  bool nobody_upscales_ = false;
  std::int64_t joined_ = 0;
  // Frames that this job has not made in this start.
  std::int64_t found_upscaled_ = 0;
  std::int64_t found_encoded_ = 0;
  std::optional<Clock::time_point> listed_;  // when the first list began
  // When the last frame was seen to be upscaled, and encoded.
  Clock::time_point upscaled_at_;
  Clock::time_point encoded_at_;
  double left_s_ = -1;  // as it was told then
  Clock::time_point left_told_;
  std::deque<Sample> samples_;
  std::vector<status::HistoryPoint> history_;
  double history_every_s_;
  std::function<void(const status::Notice&)> hear_;
};

}  // namespace vsr::launcher
