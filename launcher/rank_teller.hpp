// What a rank tells of itself while it works: what it has in hand, how fast it is and what limits
// it, its processors and its GPU; and the warnings of its log.
#pragma once

#include "card_watch.hpp"
#include "vsr/cluster/task.hpp"
#include "vsr/job/plan.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"
#include "vsr/status/run_status.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// What a rank says to rank 0, every second.
struct Told {
  status::RankStatus status;
  std::vector<status::Notice> notices;  // new ones
};

std::string encode(const Told& told);
// Throws Error(kStorage).
Told decode_told(const std::string& bytes);

// Frames of a segment's core among the first `frames` of its input.
std::int64_t core_frames(const Segment& segment, std::int64_t frames);

// Threads: any.
class RankTeller {
 public:
  using Clock = std::chrono::steady_clock;

  struct Rank {
    int rank = 0;
    std::string host;
    int cpus = 1;
    std::string gpu;     // its name; empty: none
    std::string gpu_id;  // DeviceInfo::id
  };

  explicit RankTeller(Rank rank, std::function<Clock::time_point()> now = Clock::now);

  // Where whoever works on a piece writes how far he is.
  struct Gauge {
    pipeline::SegmentGauge segment;                // of one that is upscaled
    std::atomic<std::int64_t> encoded_frames = 0;  // of a chunk
  };

  // A piece in hand, for as long as this lives. Not longer than the teller.
  class Hand {
   public:
    Hand(RankTeller& teller, const cluster::Task& task, const Segment& segment);
    ~Hand();
    Hand(const Hand&) = delete;
    Hand& operator=(const Hand&) = delete;

    Gauge& gauge() { return gauge_; }

   private:
    friend class RankTeller;

    RankTeller& teller_;
    const cluster::Task task_;
    const Segment segment_;
    Gauge gauge_;
  };

  // For rank 0: a warning or an error of this rank.
  void notice(const std::string& level, const std::string& text);

  // How the rank is.
  status::RankStatus status();
  // The same, and the notices since the last call; encoded.
  std::string told();

 private:
  // Sums since the start: of what was in hand, and is.
  struct Sums {
    std::int64_t frames = 0;  // of cores, upscaled
    double network_s = 0;
    double decode_wait_s = 0;
    double encode_wait_s = 0;
    double device_s = 0;
    double cpu_s = 0;  // of the process

    Sums operator+(const Sums& other) const;
  };

  struct Sample {
    Clock::time_point time;
    Sums sums;
  };

  static Sums sums_of(const Hand& hand);
  void look();
  std::string limit() const;

  const Rank rank_;
  const std::function<Clock::time_point()> now_;
  std::optional<CardWatch> card_;
  std::mutex mutex_;
  // All guarded by mutex_.
  std::list<Hand*> hands_;  // oldest first
  Sums past_;               // of what is in hand no more
  std::deque<Sample> samples_;
  std::vector<status::Notice> notices_;
};

}  // namespace vsr::launcher
