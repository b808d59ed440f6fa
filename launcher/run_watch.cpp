#include "run_watch.hpp"

#include "final_films.hpp"
#include "roles.hpp"
#include "version.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/status/terminal.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <set>
#include <utility>

namespace vsr::launcher {

namespace {

constexpr auto kDrawEvery = std::chrono::milliseconds(250);
constexpr auto kTickEvery = std::chrono::seconds(1);
constexpr auto kFileEvery = std::chrono::seconds(5);
constexpr auto kDiskEvery = std::chrono::seconds(10);

// What two lines are about is the same.
bool same_progress(const status::RunStatus& a, const status::RunStatus& b) {
  return a.state == b.state && a.frames_upscaled == b.frames_upscaled &&
         a.frames_encoded == b.frames_encoded && a.segments_upscaled == b.segments_upscaled &&
         a.segments_encoded == b.segments_encoded;
}

}  // namespace

RunFacts facts_of(const Lead& lead) {
  const store::Plan& plan = lead.prepared.plan;
  RunFacts facts{.segments = plan.segments, .encode_follows = encode_follows(lead.job)};
  for (const Resources& rank : lead.ranks) facts.hosts.push_back(rank.host);
  status::RunStatus& run = facts.run;
  run.film = std::filesystem::path(lead.job.input.file).filename().string();
  run.run_dir = lead.directory.root().string();
  run.program_version = program_version();
  run.host = host_name();
  run.job_name = lead.job_name;
  run.source_width = lead.prepared.source.video.format.width;
  run.source_height = lead.prepared.source.video.format.height;
  const PictureFormat film =
      assemble::final_picture(lead.job.final, plan.picture, plan.sample_aspect);
  run.width = film.width;
  run.height = film.height;
  run.fps_of_film = lead.job.final.fps.value_or(plan.timeline_rate).to_double();
  run.in_chunks = lead.chunks.has_value();
  return facts;
}

RunWatch::RunWatch(const Arguments& arguments,
                   const Lead& lead,
                   RankTeller& own,
                   const Terminal* terminal,
                   std::shared_ptr<status::LiveBlock> block)
    : lead_(lead),
      line_mode_(arguments.progress),
      line_every_s_(arguments.progress_every_s),
      logs_lines_(!block ||
                  (arguments.log_level_given && arguments.log_level <= log::Level::kInfo)),
      terminal_(terminal),
      block_(std::move(block)),
      colour_(block_ && log::may_colour(block_->descriptor())),
      board_(std::make_shared<StatusBoard>(facts_of(lead), own)) {
  try {
    // Of jobs that are over there is nothing to tell any more.
    std::set<std::string> alive;
    for (const store::Lease& lease : lead_.leases->jobs()) alive.insert(lease.name);
    for (const std::string& job : lead_.directory.jobs_with_status()) {
      if (alive.count(job) == 0) remove_file(lead_.directory.status_file(job));
    }
    make_directories(lead_.directory.status_file("").parent_path());
  } catch (const Error& error) {
    log::debug("status", "{}", error.what());
  }
  thread_ = std::thread([this] { work(); });
}

RunWatch::~RunWatch() { end("failed", "it ended without saying why"); }

void RunWatch::end(const std::string& state, const std::string& message) {
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    over_ = true;
  }
  over_changed_.notify_all();
  thread_.join();
  board_->end(state, message);
  write_status_file();
  if (block_) block_->close();
}

void RunWatch::work() {
  Times times;
  std::unique_lock lock(mutex_);
  while (!over_changed_.wait_for(lock, kDrawEvery, [this] { return over_; })) {
    lock.unlock();
    try {
      look(times);
    } catch (const std::exception& error) {  // no run fails for want of somebody who watches
      log::debug("status", "{}", error.what());
    }
    lock.lock();
  }
}

void RunWatch::look(Times& times) {
  const auto due = [](Clock::time_point& last, auto every) {
    const Clock::time_point now = Clock::now();
    if (now - last < every) return false;
    last = now;
    return true;
  };
  if (due(times.disk, kDiskEvery)) {
    try {
      board_->disk(static_cast<double>(free_bytes(lead_.directory.root())));
    } catch (const Error& error) {
      log::debug("status", "{}", error.what());
    }
  }
  if (due(times.tick, kTickEvery)) board_->tick();
  if (due(times.file, kFileEvery)) write_status_file();
  if (block_ && terminal_->in_foreground()) return draw();
  if (block_) block_->let_go();
  const bool lines = line_mode_ != "off";
  if (lines && due(times.line, std::chrono::duration<double>(line_every_s_))) say();
}

void RunWatch::write_status_file() {
  try {
    write_file(lead_.directory.status_file(lead_.leases->job()),
               to_json(board_->status(), true) + "\n");
    file_failed_ = false;
  } catch (const std::exception& error) {  // a full disk: the run has said so
    if (!std::exchange(file_failed_, true)) log::debug("status", "{}", error.what());
  }
}

void RunWatch::draw() {
  const status::LiveBlock::Size size = block_->size();
  block_->draw(terminal_lines(
      board_->status(),
      {.width = size.width, .height = size.height, .colour = colour_, .utf8 = terminal_is_utf8()}));
}

// Silence says that nothing moves, to people and to scripts/run-until-done.
void RunWatch::say() {
  status::RunStatus now = board_->status();
  if (same_progress(now, said_) || now.state == "planning") return;
  const std::string line = progress_line(now);
  log::info("status", "{}", line);
  if (!logs_lines_) block_->print(format("status: {}\n", line));
  said_ = std::move(now);
}

}  // namespace vsr::launcher
