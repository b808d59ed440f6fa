#include "rank_teller.hpp"

#include "vsr/base/host.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace vsr::launcher {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(500);
constexpr auto kOfLate = std::chrono::seconds(10);
constexpr std::size_t kMostNotices = 100;  // that wait to be told
// What the network waits for limits it only where it waits clearly longer than it works.
constexpr double kClearly = 1.25;

double processor_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double seconds_between(RankTeller::Clock::time_point from, RankTeller::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

// The rank's status on a line, then a line for each notice.
std::string encode(const Told& told) {
  std::string bytes = to_json(told.status);
  for (const status::Notice& notice : told.notices) bytes += '\n' + to_json(notice);
  return bytes;
}

Told decode_told(const std::string& bytes) {
  std::size_t end = std::min(bytes.find('\n'), bytes.size());
  Told told{.status = status::rank_status_from_json(bytes.substr(0, end)), .notices = {}};
  while (end < bytes.size()) {
    const std::size_t begin = end + 1;
    end = std::min(bytes.find('\n', begin), bytes.size());
    told.notices.push_back(status::notice_from_json(bytes.substr(begin, end - begin)));
  }
  return told;
}

std::int64_t core_frames(const Segment& segment, std::int64_t frames) {
  return std::clamp<std::int64_t>(
      frames - (segment.core.begin - segment.input.begin), 0, segment.core.size());
}

RankTeller::Sums RankTeller::Sums::operator+(const Sums& other) const {
  return {frames + other.frames,
          network_s + other.network_s,
          decode_wait_s + other.decode_wait_s,
          encode_wait_s + other.encode_wait_s,
          device_s + other.device_s,
          cpu_s + other.cpu_s};
}

RankTeller::RankTeller(Rank rank, std::function<Clock::time_point()> now)
    : rank_(std::move(rank)), now_(std::move(now)) {
  if (rank_.gpu.empty()) return;
  card_.emplace(rank_.gpu_id);
}

RankTeller::Hand::Hand(RankTeller& teller, const cluster::Task& task, const Segment& segment)
    : teller_(teller), task_(task), segment_(segment) {
  const std::lock_guard lock(teller_.mutex_);
  teller_.hands_.push_back(this);
}

RankTeller::Hand::~Hand() {
  const std::lock_guard lock(teller_.mutex_);
  teller_.past_ = teller_.past_ + sums_of(*this);
  teller_.hands_.remove(this);
}

RankTeller::Sums RankTeller::sums_of(const Hand& hand) {
  const pipeline::SegmentGauge& gauge = hand.gauge_.segment;
  return {.frames = core_frames(hand.segment_, gauge.frames),
          .network_s = gauge.network_s,
          .decode_wait_s = gauge.decode_wait_s,
          .encode_wait_s = gauge.encode_wait_s,
          .device_s = gauge.device_s};
}

void RankTeller::notice(const std::string& level, const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (notices_.size() < kMostNotices) notices_.push_back({utc_now(), level, rank_.rank, text});
}

// Under mutex_.
void RankTeller::look() {
  const Clock::time_point now = now_();
  if (!samples_.empty() && now - samples_.back().time < kLookEvery) return;
  Sums sums = past_;
  for (const Hand* hand : hands_) sums = sums + sums_of(*hand);
  sums.cpu_s = processor_seconds();
  samples_.push_back({now, sums});
  while (samples_.size() > 2 && now - samples_[1].time >= kOfLate) samples_.pop_front();
}

// By what the network's thread did of late. On a GPU that thread only queues: then the encode
// thread's waiting for pictures tells how long the device was at it. As long as nothing is told
// from within a long window, it is the network.
std::string RankTeller::limit() const {
  const bool upscales = std::any_of(hands_.begin(), hands_.end(), [](const Hand* hand) {
    return hand->task_.work == cluster::Work::kUpscale;
  });
  if (!upscales) return hands_.empty() ? "" : "encode";
  const Sums& then = samples_.front().sums;
  const Sums& now = samples_.back().sums;
  const double network = std::max(now.network_s - then.network_s, now.device_s - then.device_s);
  const double decode = now.decode_wait_s - then.decode_wait_s;
  const double encode = now.encode_wait_s - then.encode_wait_s;
  if (std::max(decode, encode) <= kClearly * network) return "network";
  return decode > encode ? "decode" : "encode";
}

status::RankStatus RankTeller::status() {
  const std::lock_guard lock(mutex_);
  look();
  status::RankStatus status{.rank = rank_.rank,
                            .host = rank_.host,
                            .state = hands_.empty() ? "idle" : "working",
                            .gpu = {},
                            .cpus = rank_.cpus,
                            .limit = limit()};
  if (card_) {
    const gpu::CardReading reading = card_->now();
    status.gpu = status::GpuStatus{rank_.gpu, reading.memory_used, reading.memory, reading.load};
  }
  bool upscales = false;
  for (const Hand* hand : hands_) {
    const pipeline::SegmentGauge& gauge = hand->gauge_.segment;
    const bool is_chunk = hand->task_.work == cluster::Work::kEncode;
    status::WorkStatus work{.kind = is_chunk ? "chunk" : "segment",
                            .segment = hand->task_.segment,
                            .attempt = hand->task_.attempt};
    work.frame = is_chunk ? hand->gauge_.encoded_frames.load() : gauge.frames.load();
    work.frames = is_chunk ? hand->segment_.core.size() : hand->segment_.input.size();
    status.work.push_back(work);
    if (is_chunk) continue;
    status.work.back().window = gauge.window;
    status.work.back().windows = gauge.windows;
    // Those of the segment that the network is at.
    if (upscales && gauge.window < 0) continue;
    upscales = true;
    status.queues = {{"decoded", gauge.decoded, gauge.decoded_size},
                     {"upscaled", gauge.upscaled, gauge.upscaled_size}};
  }
  const double seconds = seconds_between(samples_.front().time, samples_.back().time);
  if (seconds <= 0) return status;
  const Sums& then = samples_.front().sums;
  const Sums& now = samples_.back().sums;
  status.cpu_load =
      std::clamp<double>((now.cpu_s - then.cpu_s) / seconds, 0, std::max(1, rank_.cpus));
  // A segment that begins anew takes its frames away.
  const auto frames = static_cast<double>(std::max<std::int64_t>(0, now.frames - then.frames));
  if (upscales || frames > 0) status.fps = frames / seconds;
  return status;
}

std::string RankTeller::told() {
  Told told{.status = status(), .notices = {}};
  {
    const std::lock_guard lock(mutex_);
    told.notices.swap(notices_);
  }
  return encode(told);
}

}  // namespace vsr::launcher
