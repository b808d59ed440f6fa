// The program itself, from the source to the mezzanines, beside what the network alone does with
// windows of the same length.
#include "embedded_model.hpp"
#include "gpu_load.hpp"
#include "network_run.hpp"
#include "planning.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/job/job_file.hpp"
#include "vsr/model/tiling.hpp"
#include "vsr/store/run_directory.hpp"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace vsr::bench {

namespace {

// Runs the program to its end, what it prints going to stderr; the seconds that it had processors.
// Throws Error(kInternal) where it does not succeed.
double run_program(std::vector<std::string> command) {
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  const int failed = posix_spawn(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    throw Error(ErrorCode::kUsage, format("{}: {}", command[0], std::strerror(failed)));
  }
  int status = 0;
  rusage used{};
  wait4(child, &status, 0, &used);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(ErrorCode::kInternal,
                format("{} ended with status {}; what it said is above",
                       command[0],
                       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)));
  }
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Made {
  Job job;
  store::Plan plan;
  std::vector<store::Record> records;
  PictureFormat source;
  std::vector<GpuLoad::Span> spans;  // when the segments were made
};

Made read_run(const std::filesystem::path& folder) {
  const store::RunDirectory directory(folder);
  Made made{.job = parse_job_text(read_file(directory.job_file())), .plan = *directory.read_plan()};
  const std::string extension =
      media::mezzanine_extension(launcher::codec_of(made.job.segment.codec));
  for (const Segment& segment : made.plan.segments) {
    std::string why;
    auto record = directory.committed(made.plan, segment, &why);
    if (!record) throw Error(ErrorCode::kStorage, format("segment {}: {}", segment.index, why));
    // The record is written when its segment is done.
    const auto written = std::chrono::file_clock::to_sys(
        std::filesystem::last_write_time(directory.record_file(segment.index)));
    const auto end = std::chrono::time_point_cast<GpuLoad::Time::duration>(written);
    const auto wall = std::chrono::duration<double>(record->wall_s);
    made.spans.push_back({end - std::chrono::duration_cast<GpuLoad::Time::duration>(wall), end});
    made.records.push_back(std::move(*record));
  }
  made.source = launcher::timeline_of(made.plan, made.job, directory).format;
  return made;
}

// What the segments came to together.
struct Sum {
  std::int64_t frames = 0;
  std::int64_t seen = 0;  // frames that the windows saw: those and their context
  double wall_s = 0;
};

Sum print_segments(const std::vector<store::Record>& records) {
  std::vector<std::string> heads{"segment", "frames", "windows", "wall s", "frames/s"};
  for (const auto& [stage, seconds] : records.front().stage_s) heads.push_back(stage + " s");
  Table table(heads);
  Sum sum;
  for (const store::Record& record : records) {
    std::vector<std::string> cells{
        format("{}", record.segment.index),
        format("{}", record.frames),
        format("{}", record.windows.size()),
        format("{:.2f}", record.wall_s),
        format("{:.1f}", static_cast<double>(record.frames) / record.wall_s)};
    for (const auto& [stage, seconds] : record.stage_s) cells.push_back(format("{:.2f}", seconds));
    table.row(cells);
    sum.frames += record.frames;
    for (const auto& [first, seen] : record.windows) sum.seen += seen;
    sum.wall_s += record.wall_s;
  }
  table.print();
  return sum;
}

}  // namespace

void bench_pipeline(Arguments& words) {
  std::vector<std::string> command{words.text("VSR-DIST")};
  const test::TemporaryFolder folder;
  std::filesystem::path run = folder.path() / "run";
  for (const std::string& word : words.rest()) {
    constexpr std::string_view kRunDir = "--run.dir=";
    if (word.starts_with(kRunDir)) run = word.substr(kRunDir.size());
    command.push_back(word);
  }
  command.push_back("--run.dir=" + run.string());
  // As little as can be behind the mezzanines.
  for (const char* word :
       {"--final.encoder=copy", "--final.height=native", "--final.variants=pitchOK"}) {
    command.push_back(word);
  }

  GpuLoad load;
  const auto begin = std::chrono::steady_clock::now();
  const double processor_s = run_program(command);
  const double program_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  load.finish();

  const Made made = read_run(run);
  const std::string& device = made.records.front().device;
  print_line(format("{} {}, {} frames of {} to {} of {}, windows of up to {}, overlap {}",
                    device,
                    to_string(device == "cpu" ? Precision::kFp32 : made.job.model.precision),
                    made.plan.timeline_frames,
                    to_string(made.source),
                    to_string(made.job.segment.codec),
                    to_string(made.plan.picture),
                    made.plan.max_seq_len,
                    made.plan.overlap));
  const Sum sum = print_segments(made.records);
  const double rate = static_cast<double>(sum.frames) / sum.wall_s;
  const double again = static_cast<double>(sum.seen) / static_cast<double>(sum.frames);
  Table table({"whole run", ""});
  table.row({"program, s (with the mezzanines joined)", format("{:.2f}", program_s)});
  table.row({"segments with their halos, frames/s", format("{:.1f}", rate)});
  table.row({"of the film, frames/s",
             format("{:.1f}", static_cast<double>(made.plan.timeline_frames) / sum.wall_s)});
  table.row({"processor, ms a frame (the program whole)",
             format("{:.1f}", 1e3 * processor_s / static_cast<double>(sum.frames))});
  table.row({"frames seen by windows for each one given", format("{:.3f}", again)});
  if (const auto busy = load.summary(made.spans)) {
    std::string idle;
    for (const double second : busy->idle_s)
      idle += format("{}{:.1f}", idle.empty() ? "" : ", ", second);
    table.row(
        {format("GPU busy, mean of {} samples", busy->samples), format("{:.1f}%", busy->mean)});
    table.row({"GPU idle at, s of its segment", idle.empty() ? "never" : idle});
  }
  const auto checkpoint = launcher::read_checkpoint(made.job.model.checkpoint);
  NetworkWork work{.film = made.job.input.file,
                   .width = made.source.width,
                   .height = made.source.height,
                   .frames = made.plan.max_seq_len,
                   .precision = made.job.model.precision};
  if (!made.plan.tile.whole()) {
    work.tiling = model::tiling_of(checkpoint.shape(), made.source, made.plan.tile);
  }
  const auto own = fused_rate(checkpoint, work);
  if (own) {
    table.row({"network alone, frames/s", format("{:.1f}", *own)});
    table.row({"share of it", format("{:.0f}%", 100 * rate / *own)});
  }
  table.print();
}

}  // namespace vsr::bench
