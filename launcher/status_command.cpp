#include "status_command.hpp"

#include "chunk_runner.hpp"
#include "final_films.hpp"
#include "ledger.hpp"
#include "roles.hpp"
#include "run_leases.hpp"
#include "run_terminal.hpp"
#include "status_board.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/printable.hpp"
#include "vsr/job/job_file.hpp"
#include "vsr/status/live_block.hpp"
#include "vsr/status/terminal.hpp"
#include "vsr/store/leases.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;
using status::RunStatus;

constexpr auto kLook = std::chrono::milliseconds(500);
constexpr auto kWatchEvery = std::chrono::seconds(2);
// Jobs write their status every 5 s; within this a job that lives has done so, and after that long
// it is surely over.
constexpr auto kSignOfLife = std::chrono::seconds(16);
constexpr auto kSurelyOver = 4 * kSignOfLife;
constexpr std::size_t kFewNotices = 5;
constexpr int kEveryRank = 1'000'000;  // rows, for whoever does not draw them again
constexpr int kUsualWidth = 120;

// A job that has left its status.
struct LeftStatus {
  std::string name;  // of its lease
  RunStatus status;
  fs::file_time_type written;
  bool lives = false;
  bool unsure = false;  // whether it lives
};

// Settles what the others tell, without waiting: beside one that lives, or has made the film, the
// age of a status says enough.
void compare(std::vector<LeftStatus>& jobs) {
  std::optional<fs::file_time_type> alive;
  std::optional<fs::file_time_type> made;
  for (const LeftStatus& job : jobs) {
    if (job.lives) alive = std::max(alive.value_or(job.written), job.written);
    if (job.status.state == "done") made = std::max(made.value_or(job.written), job.written);
  }
  for (LeftStatus& job : jobs) {
    if (!job.unsure) continue;
    // Hosts may stamp by clocks of their own.
    job.lives = alive && std::chrono::abs(*alive - job.written) < kSignOfLife;
    const bool late = alive && *alive - job.written > kSurelyOver;
    job.unsure = !job.lives && !late && !(made && *made > job.written);
  }
}

// Watches the jobs of a run, without a trace in it.
class Jobs {
 public:
  explicit Jobs(const store::RunDirectory& directory) : directory_(directory) {
    std::error_code error;
    if (!fs::is_directory(directory_.leases_dir(), error)) return;
    leases_.emplace(directory_.leases_dir(), store::unique_owner());
  }

  // Those at work; if there are none, the one that was at work last, if any.
  std::vector<RunStatus> look() {
    std::vector<LeftStatus> jobs = read();
    const bool any =
        std::any_of(jobs.begin(), jobs.end(), [](const LeftStatus& job) { return job.lives; });
    std::vector<RunStatus> found;
    for (LeftStatus& job : jobs) {
      if (any && !job.lives) continue;
      if (!job.lives && !is_over(job.status)) end(job.status);
      found.push_back(std::move(job.status));
    }
    if (any || found.empty()) return found;
    return {*std::max_element(
        found.begin(), found.end(), [](const auto& a, const auto& b) { return a.now < b.now; })};
  }

  bool anybody_lives() const { return anybody_lives_; }

  // A job that lives and has told nothing yet.
  const std::optional<store::Lease>& quiet() const { return quiet_; }

 private:
  // A sign of life is a lease whose process is known to live, or a change that was seen. Of a job
  // on another host the first look says nothing yet.
  std::vector<LeftStatus> read() {
    const Clock::time_point begin = Clock::now();
    bool told = false;
    while (true) {
      std::vector<LeftStatus> jobs;
      std::map<std::string, store::Lease> leases = living();
      for (const std::string& name : directory_.jobs_with_status()) {
        LeftStatus job{.name = name, .status = {}, .written = {}};
        std::string content;
        try {
          job.written = fs::last_write_time(directory_.status_file(name));
          content = read_file(directory_.status_file(name));
          job.status = status::run_status_from_json(content);
        } catch (const std::exception& error) {
          log::debug("status", "{}: {}", name, error.what());
          continue;
        }
        const auto lease = leases.find(name);
        if (lease != leases.end() && !is_over(job.status)) {
          job.lives = shows_life(lease->second, content);
          job.unsure = !job.lives;
        }
        if (lease != leases.end()) leases.erase(lease);
        jobs.push_back(std::move(job));
      }
      compare(jobs);
      const auto any = [&](bool LeftStatus::*what) {
        return std::ranges::any_of(jobs, [&](const LeftStatus& job) { return job.*what; });
      };
      bool unsure = any(&LeftStatus::unsure);
      anybody_lives_ = any(&LeftStatus::lives);
      // Who plans, or whose disk is full, has left nothing yet.
      quiet_.reset();
      for (const auto& [name, lease] : leases) {
        if (!is_job_lease(name)) continue;
        if (shows_life(lease, "")) {
          quiet_ = lease;
        } else if (!anybody_lives_) {  // who would tell of the run
          unsure = true;
        }
      }
      anybody_lives_ = anybody_lives_ || quiet_.has_value();
      if (!unsure || Clock::now() - begin > kSignOfLife) return jobs;
      if (!std::exchange(told, true)) {
        log::info("status", "looking for a sign of life, {} s at most", kSignOfLife.count());
      }
      std::this_thread::sleep_for(kLook);
    }
  }

  // Leases of jobs that are not known to be dead.
  std::map<std::string, store::Lease> living() {
    std::map<std::string, store::Lease> living;
    if (!leases_) return living;
    for (store::Lease& lease : leases_->list()) {
      if (!lease.stale) living.emplace(lease.name, std::move(lease));
    }
    return living;
  }

  // Whether the lease's process would be known to be dead if it were: as far as can be seen, it
  // is one of this machine.
  static bool is_here(const store::Lease& lease) {
    std::error_code error;
    return lease.host == host_name() && fs::exists(format("/proc/{}", lease.pid), error);
  }

  static void end(RunStatus& run) {
    run.state = "interrupted";
    run.message = format(
        "it ended without a word, after {}: killed, or its host is gone; the same "
        "command goes on",
        run.now);
    run.ranks.clear();
    run.left_s = run.upscale_fps = run.encode_fps = -1;
    for (status::SegmentStatus& segment : run.segments) {
      if (segment.state == "upscaling") segment.state = "waiting";
      if (segment.state == "encoding") segment.state = "upscaled";
    }
  }

  // `content`: of the job's status.
  bool shows_life(const store::Lease& lease, const std::string& content) {
    const auto [entry, is_first] = seen_.try_emplace(lease.name, Seen{content, {}, {}});
    Seen& seen = entry->second;
    const bool moved = seen.content != content || lease.unchanged < seen.unchanged;
    if (!is_first && moved) seen.moved = Clock::now();
    seen.content = content;
    seen.unchanged = lease.unchanged;
    return is_here(lease) || (seen.moved && Clock::now() - *seen.moved < kSignOfLife);
  }

  struct Seen {
    std::string content;
    std::chrono::milliseconds unchanged{};
    std::optional<Clock::time_point> moved;
  };

  const store::RunDirectory& directory_;
  std::optional<store::Leases> leases_;
  std::map<std::string, Seen> seen_;  // by lease
  std::optional<store::Lease> quiet_;
  bool anybody_lives_ = false;
};

// What there is to tell, of one job or several.
struct Report {
  RunStatus run;
  std::vector<RunStatus> jobs;  // if there are several
};

Report look(const store::RunDirectory& directory, Jobs& jobs) {
  std::vector<RunStatus> found = jobs.look();
  const bool nobody_tells = std::all_of(found.begin(), found.end(), status::is_over);
  if (nobody_tells && jobs.quiet()) {
    RunStatus run = status_by_ledger(directory);
    run.state = "planning";
    run.message = format("process {} on {} is at work and has told nothing yet",
                         jobs.quiet()->pid,
                         jobs.quiet()->host);
    return {std::move(run), {}};
  }
  if (found.empty()) return {status_by_ledger(directory), {}};
  if (found.size() == 1) return {std::move(found.front()), {}};
  RunStatus all = joined(found);
  return {std::move(all), std::move(found)};
}

std::vector<std::string> lines_of(const Report& report, const status::TerminalStyle& style) {
  std::vector<std::string> lines = terminal_lines(report.run, style);
  for (const RunStatus& job : report.jobs) {
    lines.push_back(status::cut_to(format("{}: {}",
                                          job.job_name.empty() ? job.host : printable(job.job_name),
                                          progress_line(job)),
                                   style.width,
                                   style.utf8));
  }
  const auto& notices = report.run.notices;
  for (std::size_t i = notices.size() - std::min(notices.size(), kFewNotices); i < notices.size();
       ++i) {
    lines.push_back(status::cut_to(
        printable(format(
            "{} {} [{}] {}", notices[i].time, notices[i].level, notices[i].rank, notices[i].text)),
        style.width,
        style.utf8));
  }
  const auto most = static_cast<std::size_t>(std::max(2, style.height - 1));
  if (lines.size() > most) lines.resize(most);
  return lines;
}

void print(const Report& report, bool json) {
  if (json) {
    std::cout << to_json(report.run, true) << std::endl;
    return;
  }
  const status::LiveBlock terminal(STDOUT_FILENO);
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const status::TerminalStyle style{.width = is_terminal ? terminal.size().width : kUsualWidth,
                                    .height = kEveryRank,
                                    .colour = log::may_colour(STDOUT_FILENO),
                                    .utf8 = terminal_is_utf8()};
  for (const std::string& line : lines_of(report, style)) std::cout << line << '\n';
  for (const std::string& film : report.run.films) {
    std::cout << " " << printable((fs::path(report.run.run_dir) / "final" / film).string()) << '\n';
  }
  std::cout.flush();
}

void watch(const store::RunDirectory& directory, Jobs& jobs, bool json) {
  const bool draws = !json && ::isatty(STDOUT_FILENO) == 1 && terminal_may_draw();
  status::LiveBlock block(STDOUT_FILENO);
  std::string said;
  while (true) {
    const Report report = look(directory, jobs);
    if (!jobs.anybody_lives()) {
      block.close();
      return print(report, json);
    }
    if (draws) {
      const status::LiveBlock::Size size = block.size();
      block.draw(lines_of(report,
                          {.width = size.width,
                           .height = size.height,
                           .colour = log::may_colour(STDOUT_FILENO),
                           .utf8 = terminal_is_utf8()}));
    } else if (json) {
      print(report, json);
    } else if (std::string line = progress_line(report.run); line != said) {
      std::cout << line << std::endl;
      said = std::move(line);
    }
    std::this_thread::sleep_for(kWatchEvery);
  }
}

bool is_upscaled(const status::SegmentStatus& segment) {
  return segment.state == "done" || segment.state == "upscaled" || segment.state == "encoding";
}

// Frames of a piece in hand that nobody has counted: of a segment's input the core alone, behind a
// halo that is as long on either side but for the film's ends.
std::int64_t frames_in_hand(const RunStatus& run, const status::WorkStatus& work) {
  const auto index = static_cast<std::size_t>(work.segment);
  if (index >= run.segments.size()) return 0;
  const status::SegmentStatus& segment = run.segments[index];
  const bool is_chunk = work.kind == "chunk";
  if (is_chunk ? segment.state == "done" : is_upscaled(segment)) return 0;
  const std::int64_t core = segment.end - segment.begin;
  std::int64_t before =
      is_chunk || segment.begin == 0 ? 0 : std::max<std::int64_t>(0, work.frames - core);
  if (segment.end < run.frames_total) before /= 2;
  return std::clamp<std::int64_t>(work.frame - before, 0, core);
}

// One that works at something tells how all are; then one that waits for room, and not one that
// only encodes and waits for the segments of that.
int weight_of_state(const RunStatus& job) {
  if (job.state == "paused") return 2;
  if (job.state != "working") return 0;
  const bool has_work = std::ranges::any_of(
      job.ranks, [](const status::RankStatus& rank) { return !rank.work.empty(); });
  return has_work ? 3 : 1;
}

}  // namespace

RunStatus joined(const std::vector<RunStatus>& jobs) {
  RunStatus all = *std::max_element(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
    // One that waits for a plan knows of no segments.
    return std::tuple(a.segments_total, a.segments_encoded, a.segments_upscaled) <
           std::tuple(b.segments_total, b.segments_encoded, b.segments_upscaled);
  });
  const auto sum = [&](double RunStatus::*rate) {
    all.*rate = -1;
    for (const RunStatus& job : jobs) {
      if (job.*rate >= 0) all.*rate = std::max(0.0, all.*rate) + job.*rate;
    }
  };
  sum(&RunStatus::upscale_fps);
  sum(&RunStatus::upscale_fps_mean);
  sum(&RunStatus::encode_fps);
  sum(&RunStatus::encode_fps_mean);
  all.job_name.clear();
  all.ranks.clear();
  all.notices.clear();
  all.limit.clear();
  // Each has the others' pieces as they are committed, and its own frames in hand.
  std::int64_t upscaled = 0;
  std::int64_t encoded = 0;
  double of_the_rest = 0;  // that one second brings
  std::int64_t whole_upscaled = 0;
  std::int64_t whole_encoded = 0;
  for (const status::SegmentStatus& segment : all.segments) {
    const std::int64_t frames = segment.end - segment.begin;
    if (is_upscaled(segment)) whole_upscaled += frames;
    if (segment.state == "done" && all.in_chunks) whole_encoded += frames;
  }
  for (const RunStatus& job : jobs) {
    for (const status::RankStatus& rank : job.ranks) {
      all.ranks.push_back(rank);
      for (const status::WorkStatus& work : rank.work) {
        (work.kind == "chunk" ? encoded : upscaled) += frames_in_hand(all, work);
      }
    }
    if (job.left_s > 0) of_the_rest += 1 / job.left_s;
    all.notices.insert(all.notices.end(), job.notices.begin(), job.notices.end());
  }
  const RunStatus& told = *std::ranges::max_element(jobs, {}, weight_of_state);
  if (weight_of_state(told) > 0) {
    all.state = told.state;
    all.message = told.message;
  }
  all.frames_upscaled = std::min(all.frames_total, whole_upscaled + upscaled);
  if (all.in_chunks) all.frames_encoded = std::min(all.frames_total, whole_encoded + encoded);
  all.left_s = of_the_rest > 0 ? 1 / of_the_rest : -1;
  // More encoders do not upscale: jobs that only encode make the rest no shorter than this.
  if (all.left_s > 0 && all.upscale_fps_mean > 0) {
    all.left_s = std::max(
        all.left_s,
        static_cast<double>(all.frames_total - all.frames_upscaled) / all.upscale_fps_mean);
  }
  std::stable_sort(all.notices.begin(), all.notices.end(), [](const auto& a, const auto& b) {
    return a.time < b.time;
  });
  return all;
}

RunStatus status_by_ledger(const store::RunDirectory& directory) {
  const auto plan = directory.read_plan();
  RunFacts facts;
  facts.run.run_dir = directory.root().string();
  facts.hosts = {""};
  if (!plan) {
    RunStatus run = facts.run;
    run.state = "planning";
    run.message = "there is no plan yet";
    return run;
  }
  facts.segments = plan->segments;
  facts.run.program_version = plan->program_version;
  Ledger chunks;
  const Pieces segments{store::Piece::kSegment, media::MezzanineCodec::kProres, *plan};
  std::optional<std::vector<fs::path>> films;
  try {
    const Job job = parse_job_text(read_file(directory.job_file()));
    facts.run.film = fs::path(job.input.file).filename().string();
    facts.run.in_chunks = makes_chunks(job);
    facts.encode_follows = encode_follows(job);
    store::Plan film = *plan;
    if (facts.run.in_chunks) {
      film = chunk_plan(job, *plan);
      chunks = read_ledger(directory, {store::Piece::kChunk, media::MezzanineCodec::kNone, film});
    }
    films = finished_films(directory, final_identity(job, film));
  } catch (const Error& error) {  // of another version
    log::debug("status", "{}", error.what());
  }
  RankTeller nobody({});
  StatusBoard board(std::move(facts), nobody);
  board.begin_list(read_ledger(directory, segments, chunks), chunks);
  for (const Segment& segment : plan->segments) {
    // Whether or not the mezzanine is still there.
    if (const auto record = directory.recorded(*plan, segment, nullptr)) {
      board.record({cluster::Work::kUpscale, segment.index}, *record);
    }
    const auto index = static_cast<std::size_t>(segment.index);
    if (!chunks.empty() && chunks[index]) {
      board.record({cluster::Work::kEncode, segment.index}, *chunks[index]);
    }
  }
  if (films) {
    for (const fs::path& film : *films) board.film_made(film.filename().string());
  }
  board.end(films ? "done" : "interrupted", films ? "" : "nobody is at work here");
  RunStatus run = board.status();
  run.ranks.clear();
  run.elapsed_s = 0;
  return run;
}

int run_status(const Arguments& arguments) {
  const fs::path folder = arguments.run_dir;
  const auto directory = store::RunDirectory::find(folder);
  if (!directory) {
    throw Error(
        ErrorCode::kUsage,
        format("{}: no run was begun in this folder; name the one that a job's run.dir says "
               "(runs/NAME, where NAME.ini is silent)",
               folder.string()));
  }
  Jobs jobs(*directory);
  if (arguments.watch) {
    watch(*directory, jobs, arguments.json);
  } else {
    print(look(*directory, jobs), arguments.json);
  }
  return 0;
}

}  // namespace vsr::launcher
