#include "final_films.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/job/job_file.hpp"
#include "vsr/media/segment_writer.hpp"

#include <chrono>
#include <sstream>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr auto kProgressEvery = std::chrono::seconds(15);

}  // namespace

assemble::AssembleSpec assemble_spec(const Job& job,
                                     const store::Plan& plan,
                                     const media::Timeline& timeline,
                                     const fs::path& out) {
  assemble::AssembleSpec spec;
  spec.source = job.input.file;
  spec.codec = codec_of(job.segment.codec);
  spec.picture = plan.picture;
  spec.colour = plan.colour;
  spec.sample_aspect = plan.sample_aspect;
  spec.timeline_rate = plan.timeline_rate;
  spec.start_time_s = timeline.start_time_s;
  spec.partial = job.input.start_s > 0 || job.input.end_s > 0;
  spec.options = job.final;
  spec.audio = job.input.audio;
  spec.subtitles = job.input.subtitles;
  spec.out_dir = out;
  return spec;
}

std::string final_identity(const Job& job, const store::Plan& plan) {
  std::string text = format("plan {}\n", plan.fingerprint());
  for (const auto& [key, value] : job_values(job)) {
    if (changes_final(key)) text += format("{} = {}\n", key, value);
  }
  return text;
}

bool were_made(const store::RunDirectory& directory, const std::string& identity) {
  std::error_code unknown;
  return fs::exists(directory.final_stamp(), unknown) &&
         read_file(directory.final_stamp()).rfind(identity, 0) == 0;
}

// The stamp: the identity, then a line "file <bytes> <name>" for each film.
std::optional<std::vector<fs::path>> finished_films(const store::RunDirectory& directory,
                                                    const std::string& identity) {
  std::error_code unknown;
  if (!fs::exists(directory.final_stamp(), unknown)) return std::nullopt;
  const std::string stamp = read_file(directory.final_stamp());
  if (stamp.rfind(identity, 0) != 0) return std::nullopt;
  std::vector<fs::path> films;
  std::istringstream lines(stamp.substr(identity.size()));
  std::string word;
  std::uintmax_t bytes = 0;
  std::string name;
  while (lines >> word >> bytes && std::getline(lines >> std::ws, name)) {
    std::error_code error;
    if (fs::file_size(directory.final_dir() / name, error) != bytes || error) return std::nullopt;
    films.push_back(directory.final_dir() / name);
  }
  if (films.empty()) return std::nullopt;
  return films;
}

void write_stamp(const store::RunDirectory& directory,
                 const std::string& identity,
                 const std::vector<fs::path>& films) {
  std::string stamp = identity;
  for (const fs::path& film : films) {
    stamp += format("file {} {}\n", fs::file_size(film), film.filename().string());
  }
  write_file(directory.final_stamp(), stamp);
}

assemble::AssembleResult make_films(assemble::AssembleSpec spec,
                                    const store::RunDirectory& directory,
                                    const store::Plan& plan,
                                    store::Piece piece,
                                    const std::vector<store::Record>& records,
                                    const std::function<void(std::int64_t frames)>& progress,
                                    const std::atomic<int>& stop) {
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const Segment& segment = plan.segments[i];
    spec.segments.push_back({directory.file_of(records[i], piece),
                             segment.core,
                             plan.held(segment),
                             records[i].checksums});
  }
  const auto begin = std::chrono::steady_clock::now();
  auto last = begin;
  auto result = assemble::assemble(spec, [&](std::int64_t frames) {
    progress(frames);
    const auto now = std::chrono::steady_clock::now();
    if (now - last >= kProgressEvery) {
      last = now;
      const double seconds = std::chrono::duration<double>(now - begin).count();
      const double fps = static_cast<double>(frames) / seconds;
      const double left = static_cast<double>(plan.timeline_frames - frames);
      log::info("assemble",
                "frame {} of {}, {:.2f} fps{}",
                frames,
                plan.timeline_frames,
                fps,
                frames > 0 ? format("; about {} left", duration_text(left / fps)) : std::string());
    }
    return stop.load() == 0;
  });
  for (const std::string& warning : result.warnings) log::warning("assemble", "{}", warning);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  log::info("assemble",
            "{} frames in {:.1f} s, {:.2f} fps",
            result.frames,
            seconds,
            static_cast<double>(result.frames) / seconds);
  return result;
}

}  // namespace vsr::launcher
