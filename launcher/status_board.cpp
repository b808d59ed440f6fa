#include "status_board.hpp"

#include "progress_teller.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <cmath>

namespace vsr::launcher {

namespace {

constexpr double kOfLate_s = 10;
constexpr double kSilent_s = 10;  // ranks speak every second
constexpr std::size_t kMostNotices = 100;
constexpr std::size_t kMostUnheard = 256 * 1024;  // bytes of notices, of a rank
constexpr std::size_t kMostHistory = 240;
constexpr double kHistoryEvery_s = 5;  // at first
// An encoder gives nothing for its first pictures, and then works at its speed.
constexpr std::int64_t kTellingFrames = 100;

double seconds_between(StatusBoard::Clock::time_point from, StatusBoard::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

bool same(const cluster::Piece& a, const cluster::Piece& b) {
  return a.work == b.work && a.segment == b.segment;
}

}  // namespace

StatusBoard::StatusBoard(RunFacts facts, RankTeller& own, std::function<Clock::time_point()> now)
    : facts_(std::move(facts)),
      own_(own),
      now_(std::move(now)),
      begin_(now_()),
      run_(facts_.run),
      ranks_(facts_.hosts.size()),
      upscaled_(facts_.segments.size()),
      encoded_(facts_.segments.size()),
      bytes_(facts_.segments.size()),
      chunk_bytes_(facts_.segments.size()),
      measured_(facts_.segments.size()),
      unheard_(facts_.hosts.size()),
      upscaled_at_(begin_),
      encoded_at_(begin_),
      history_every_s_(kHistoryEvery_s) {
  run_.state = "planning";
  run_.started = utc_now();
  run_.segments_total = static_cast<int>(facts_.segments.size());
  for (const Segment& segment : facts_.segments) {
    run_.frames_total += segment.core.size();
    run_.segments.push_back({.index = segment.index,
                             .begin = segment.core.begin,
                             .end = segment.core.end,
                             .state = "waiting"});
  }
  for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
    ranks_[rank].heard = begin_;
    ranks_[rank].status.rank = static_cast<int>(rank);
    ranks_[rank].status.host = facts_.hosts[rank];
    ranks_[rank].status.state = "idle";
  }
}

// --- What is told --------------------------------------------------------------------------------

void StatusBoard::begin_list(const Ledger& segments, const Ledger& chunks) {
  const std::lock_guard lock(mutex_);
  run_.state = "working";
  run_.message.clear();
  in_hand_.clear();
  for (std::size_t i = 0; i < upscaled_.size(); ++i) {
    const auto segment = static_cast<int>(i);
    encoded_[i] = !chunks.empty() && chunks[i].has_value();
    // A mezzanine may be gone once its chunk is there.
    upscaled_[i] = segments[i].has_value() || encoded_[i];
    settle(segment);
  }
  for (Rank& rank : ranks_) rank.heard = now_();  // who listened to nobody has missed nothing
  if (listed_) return;
  listed_ = upscaled_at_ = encoded_at_ = now_();
  std::tie(found_upscaled_, found_encoded_) = frames();
}

void StatusBoard::progress(const cluster::Progress& progress) {
  const std::lock_guard lock(mutex_);
  silent_ = progress.silent;
  left_s_ = seconds_left(progress, facts_.encode_follows);
  left_told_ = now_();
  run_.limit = limit_of(progress, facts_.encode_follows);
}

void StatusBoard::begun(int rank, const cluster::Task& task) {
  const std::lock_guard lock(mutex_);
  in_hand_.emplace_back(rank, cluster::Piece{task.work, task.segment});
  if (task.work == cluster::Work::kUpscale) {
    status::SegmentStatus& segment = at(task.segment);
    segment.rank = rank;
    segment.host = facts_.hosts.at(static_cast<std::size_t>(rank));
    segment.attempt = task.attempt;
  }
  settle(task.segment);
}

void StatusBoard::over(int rank, const cluster::Piece& piece, bool done) {
  const std::lock_guard lock(mutex_);
  std::erase_if(in_hand_,
                [&](const auto& hand) { return hand.first == rank && same(hand.second, piece); });
  if (done) {
    const auto segment = static_cast<std::size_t>(piece.segment);
    (piece.work == cluster::Work::kUpscale ? upscaled_ : encoded_)[segment] = true;
  }
  settle(piece.segment);
}

void StatusBoard::made_elsewhere(const cluster::Piece& piece) {
  const std::lock_guard lock(mutex_);
  const auto segment = static_cast<std::size_t>(piece.segment);
  const std::int64_t frames = facts_.segments.at(segment).core.size();
  if (!upscaled_[segment]) {
    upscaled_[segment] = true;
    found_upscaled_ += frames;
  }
  if (piece.work == cluster::Work::kEncode && !encoded_[segment]) {
    encoded_[segment] = true;
    found_encoded_ += frames;
  }
  settle(piece.segment);
}

void StatusBoard::said(int rank, const std::string& status) {
  const std::lock_guard lock(mutex_);
  ranks_.at(static_cast<std::size_t>(rank)).heard = now_();
  Unheard& unheard = unheard_[static_cast<std::size_t>(rank)];
  const std::size_t end = std::min(status.find('\n'), status.size());
  unheard.status = status.substr(0, end);
  if (unheard.notices.size() + status.size() - end <= kMostUnheard) {
    unheard.notices += status.substr(end);
  }
}

// Not in said(): whoever coordinates a thousand ranks has better things to do.
void StatusBoard::take_in() {
  std::vector<status::Notice> notices;
  std::function<void(const status::Notice&)> hear;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < unheard_.size(); ++i) {
      const auto rank = static_cast<int>(i);
      const Unheard unheard = std::exchange(unheard_[i], {});
      if (unheard.status.empty()) continue;
      Told told;
      try {
        told = decode_told(unheard.status + unheard.notices);
      } catch (const Error& error) {
        log::debug("cluster", "what rank {} says of itself: {}", rank, error.what());
        continue;
      }
      status::RankStatus& known = ranks_[i].status;
      known = std::move(told.status);
      known.rank = rank;
      for (status::Notice& notice : told.notices) {
        notice.rank = rank;
        keep_notice(notice);
        notices.push_back(std::move(notice));
      }
    }
    hear = hear_;
  }
  if (!hear) return;
  for (const status::Notice& notice : notices) hear(notice);
}

void StatusBoard::left(int rank) {
  const std::lock_guard lock(mutex_);
  ranks_.at(static_cast<std::size_t>(rank)).left = true;
}

void StatusBoard::waits_for_room(bool waits) {
  const std::lock_guard lock(mutex_);
  waits_for_room_ = waits;
}

void StatusBoard::nobody_upscales(bool nobody) {
  const std::lock_guard lock(mutex_);
  nobody_upscales_ = nobody;
}

void StatusBoard::joining(std::int64_t frames) {
  const std::lock_guard lock(mutex_);
  run_.state = "joining";
  run_.limit.clear();
  waits_for_room_ = false;
  joined_ = frames;
}

void StatusBoard::film_made(const std::string& file_name) {
  const std::lock_guard lock(mutex_);
  run_.films.push_back(file_name);
}

void StatusBoard::end(const std::string& state, const std::string& message) {
  const std::lock_guard lock(mutex_);
  run_.state = state;
  run_.message = message;
  run_.limit.clear();
  left_s_ = state == "done" ? 0 : -1;
  waits_for_room_ = false;
  if (state != "done") return;
  in_hand_.clear();
  upscaled_.assign(upscaled_.size(), true);
  encoded_.assign(encoded_.size(), run_.in_chunks);
  joined_ = run_.frames_total;
  for (const status::SegmentStatus& segment : run_.segments) settle(segment.index);
}

void StatusBoard::notice(status::Notice notice) {
  const std::lock_guard lock(mutex_);
  keep_notice(std::move(notice));
}

void StatusBoard::keep_notice(status::Notice notice) {
  run_.notices.push_back(std::move(notice));
  if (run_.notices.size() > kMostNotices) run_.notices.erase(run_.notices.begin());
}

void StatusBoard::on_notice(std::function<void(const status::Notice&)> hear) {
  const std::lock_guard lock(mutex_);
  hear_ = std::move(hear);
}

void StatusBoard::disk(double bytes_free) {
  const std::lock_guard lock(mutex_);
  run_.bytes_free = bytes_free;
}

// --- Pieces and their records --------------------------------------------------------------------

void StatusBoard::settle(int segment) {
  const auto index = static_cast<std::size_t>(segment);
  const auto in_hand = [&](cluster::Work work) {
    return std::any_of(in_hand_.begin(), in_hand_.end(), [&](const auto& hand) {
      return same(hand.second, {work, segment});
    });
  };
  std::string& state = at(segment).state;
  if (encoded_[index] || (upscaled_[index] && !run_.in_chunks)) {
    state = "done";
  } else if (in_hand(cluster::Work::kEncode)) {
    state = "encoding";
  } else if (upscaled_[index]) {
    state = "upscaled";
  } else {
    state = in_hand(cluster::Work::kUpscale) ? "upscaling" : "waiting";
  }
}

void StatusBoard::record(const cluster::Piece& piece, const store::Record& record) {
  const std::lock_guard lock(mutex_);
  const int segment = piece.segment;
  const auto index = static_cast<std::size_t>(segment);
  if (piece.work == cluster::Work::kEncode) {
    chunk_bytes_[index] = static_cast<double>(record.bytes);
    return;
  }
  status::SegmentStatus& status = at(segment);
  bytes_[index] = static_cast<double>(record.bytes);
  status.size = bytes_[index];
  status.rank = record.rank;
  status.host = record.host;
  status.attempt = record.attempt;
  status.wall_s = record.wall_s;
  status.has_preview = !record.previews.empty();
  if (status.has_preview) run_.latest_preview = segment;
  double sum = 0;
  measured_[index] = 0;
  status.quality_db = status.worst_db = -1;
  status.worst_frame = -1;
  std::int64_t frame = facts_.segments[index].core.begin;
  for (const float db : record.measures.back_projection_db) {
    if (!std::isnan(db)) {
      sum += db;
      if (++measured_[index] == 1 || db < status.worst_db) {
        status.worst_db = db;
        status.worst_frame = frame;
      }
    }
    ++frame;
  }
  if (measured_[index] > 0) status.quality_db = sum / static_cast<double>(measured_[index]);
}

// --- What it comes to ----------------------------------------------------------------------------

std::pair<std::int64_t, std::int64_t> StatusBoard::frames() const {
  std::int64_t upscaled = 0;
  std::int64_t encoded = 0;
  for (std::size_t i = 0; i < upscaled_.size(); ++i) {
    const std::int64_t core = facts_.segments[i].core.size();
    if (upscaled_[i]) upscaled += core;
    if (encoded_[i]) encoded += core;
  }
  const auto add = [&](const status::RankStatus& rank) {
    for (const status::WorkStatus& work : rank.work) {
      const auto index = static_cast<std::size_t>(work.segment);
      if (index >= upscaled_.size()) continue;
      const Segment& segment = facts_.segments[index];
      if (work.kind == "segment" && !upscaled_[index]) {
        upscaled += core_frames(segment, work.frame);
      }
      if (work.kind == "chunk" && !encoded_[index]) {
        encoded += std::clamp<std::int64_t>(work.frame, 0, segment.core.size());
      }
    }
  };
  for (const Rank& rank : ranks_) {
    if (!rank.left) add(rank.status);
  }
  const std::int64_t most = run_.frames_total;  // two ranks may be at one segment
  return {std::min(upscaled, most), std::min(run_.in_chunks ? encoded : joined_, most)};
}

void StatusBoard::tick() {
  take_in();
  status::RankStatus own = own_.status();
  const std::lock_guard lock(mutex_);
  ranks_.at(0).status = std::move(own);
  ranks_.at(0).heard = now_();
  if (!listed_) return;
  const auto [upscaled, encoded] = frames();
  const Sample sample{now_(), upscaled - found_upscaled_, encoded - found_encoded_};
  if (samples_.empty() || sample.upscaled > samples_.back().upscaled) upscaled_at_ = sample.time;
  if (samples_.empty() || sample.encoded > samples_.back().encoded) encoded_at_ = sample.time;
  samples_.push_back(sample);
  while (samples_.size() > 2 && seconds_between(samples_[1].time, sample.time) >= kOfLate_s) {
    samples_.pop_front();
  }
  keep_history(sample.time);
}

void StatusBoard::keep_history(Clock::time_point now) {
  const double elapsed = seconds_between(begin_, now);
  if (!run_.history.empty() && elapsed < run_.history.back().elapsed_s + history_every_s_) return;
  status::RunStatus rates;
  add_rates(rates);
  run_.history.push_back(
      {elapsed, std::max(0.0, rates.upscale_fps), std::max(0.0, rates.encode_fps)});
  if (run_.history.size() <= kMostHistory) return;
  // Every other point goes, and from now on they come half as often.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < run_.history.size(); i += 2) run_.history[kept++] = run_.history[i];
  run_.history.resize(kept);
  history_every_s_ *= 2;
}

void StatusBoard::add_rates(status::RunStatus& run) const {
  if (samples_.size() < 2) return;
  const Sample& then = samples_.front();
  const Sample& now = samples_.back();
  const double seconds = seconds_between(then.time, now.time);
  // A piece that failed takes its frames away.
  const auto rate = [](std::int64_t frames, double over) {
    return over > 0 ? static_cast<double>(std::max<std::int64_t>(0, frames)) / over : -1;
  };
  run.upscale_fps = rate(now.upscaled - then.upscaled, seconds);
  run.upscale_fps_mean = rate(now.upscaled, seconds_between(*listed_, upscaled_at_));
  if (!run_.in_chunks && run_.state != "joining") return;
  run.encode_fps = rate(now.encoded - then.encoded, seconds);
  if (run_.in_chunks)
    run.encode_fps_mean = rate(now.encoded, seconds_between(*listed_, encoded_at_));
}

void StatusBoard::add_quality(status::RunStatus& run) const {
  double sum = 0;
  for (const status::SegmentStatus& segment : run.segments) {
    const std::int64_t measured = measured_[static_cast<std::size_t>(segment.index)];
    if (measured == 0) continue;
    run.frames_measured += measured;
    sum += segment.quality_db * static_cast<double>(measured);
    if (run.worst_frame < 0 || segment.worst_db < run.worst_db) {
      run.worst_db = segment.worst_db;
      run.worst_frame = segment.worst_frame;
    }
  }
  if (run.frames_measured > 0) run.quality_db = sum / static_cast<double>(run.frames_measured);
}

// By the frames so far, of the stage that takes longer; -1 where there are too few.
double StatusBoard::left_by_frames(const status::RunStatus& run) const {
  const auto left = [&](std::int64_t frames, double fps) {
    if (frames == run.frames_total) return 0.0;
    return fps > 0 ? static_cast<double>(run.frames_total - frames) / fps : -1;
  };
  const double upscaling =
      run.state == "joining" ? 0 : left(run.frames_upscaled, run.upscale_fps_mean);
  if (!run.in_chunks && !facts_.encode_follows) return upscaling;
  const bool telling =
      !run.in_chunks || (!samples_.empty() && samples_.back().encoded >= kTellingFrames);
  const double encoding = telling ? left(run.frames_encoded, run.encode_fps) : -1;
  return std::min(upscaling, encoding) < 0 ? -1 : std::max(upscaling, encoding);
}

// What is told after each piece, less the time since: it counts pieces in hand as not begun. So
// what frames tell takes its place where it is known sooner, or all is in hand.
void StatusBoard::add_time_left(status::RunStatus& run, Clock::time_point now) const {
  if (run.state == "done") run.left_s = 0;
  if (run.state == "joining" && facts_.encode_follows) run.left_s = left_by_frames(run);
  if (run.state != "working") return;
  run.left_s = left_s_ < 0 ? -1 : std::max(0.0, left_s_ - seconds_between(left_told_, now));
  if (facts_.encode_follows) return;
  const auto in_hand = static_cast<int>(in_hand_.size());
  const bool all_in_hand = run.in_chunks && run.segments_upscaled == run.segments_total &&
                           run.segments_encoded + in_hand == run.segments_total;
  const double by_frames = left_by_frames(run);
  if (run.left_s < 0) run.left_s = by_frames;
  if (all_in_hand && by_frames >= 0) run.left_s = std::min(run.left_s, by_frames);
}

// Ranks are heard while a list is worked off only.
status::RankStatus StatusBoard::rank_now(std::size_t rank, Clock::time_point now) const {
  const Rank& known = ranks_[rank];
  status::RankStatus status = known.status;
  const bool works = run_.state == "working";
  const bool given_up = std::count(silent_.begin(), silent_.end(), static_cast<int>(rank)) > 0;
  const double silent_s = seconds_between(known.heard, now);
  if (known.left) {
    status.state = "left";
    status.work.clear();
  } else if (!works) {
    status.state = "idle";
    status.work.clear();
    status.queues.clear();
    status.limit.clear();
    status.fps = -1;
    if (run_.state != "joining" || rank > 0) status.cpu_load = -1;
  } else if (given_up || silent_s > kSilent_s) {
    status.state = "silent";
  }
  status.silent_s = works && !known.left ? silent_s : 0;
  return status;
}

status::RunStatus StatusBoard::status() {
  take_in();
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = now_();
  status::RunStatus run = run_;
  run.now = utc_now();
  run.elapsed_s = seconds_between(begin_, now);
  const bool works = run.state == "working" || run.state == "joining";
  if (works && waits_for_room_ && in_hand_.empty()) {
    run.state = "paused";
    run.message = "the disk has no room for more; it goes on by itself when there is some";
  }
  const auto [upscaled, encoded] = frames();
  run.frames_upscaled = upscaled;
  run.frames_encoded = encoded;
  run.segments_upscaled = static_cast<int>(std::count(upscaled_.begin(), upscaled_.end(), true));
  run.segments_encoded = static_cast<int>(std::count(encoded_.begin(), encoded_.end(), true));
  for (std::size_t i = 0; i < bytes_.size(); ++i) run.bytes_written += bytes_[i] + chunk_bytes_[i];
  add_rates(run);
  add_quality(run);
  add_time_left(run, now);
  if (run.state == "working" && nobody_upscales_) {
    run.message = "nobody upscales what is missing; it goes on by itself when a job does";
    run.limit.clear();
    run.left_s = -1;
  }
  for (std::size_t rank = 0; rank < ranks_.size(); ++rank) run.ranks.push_back(rank_now(rank, now));
  return run;
}

}  // namespace vsr::launcher
