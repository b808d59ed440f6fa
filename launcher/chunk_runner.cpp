#include "chunk_runner.hpp"

#include "final_films.hpp"
#include "ledger.hpp"
#include "planning.hpp"
#include "vsr/assemble/chunk_writer.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/job/job_file.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

store::Plan chunk_plan(const Job& job, const store::Plan& plan) {
  store::Plan chunks = plan;
  for (const auto& [key, value] : job_values(job)) {
    if (changes_film_picture(key)) chunks.identity[key] = value;
  }
  chunks.identity["segments"] = plan.fingerprint();
  chunks.identity["segment.codec"] = to_string(SegmentCodec::kNone);
  return chunks;
}

ChunkRunner::ChunkRunner(Job job,
                         store::Plan plan,
                         const RankStorage& storage,
                         int rank,
                         int cpus,
                         const std::atomic<int>& stop)
    : job_(std::move(job)),
      plan_(std::move(plan)),
      chunk_plan_(launcher::chunk_plan(job_, plan_)),
      storage_(storage),
      directory_(storage.directory()),
      timeline_(storage.timeline()),
      rank_(rank),
      cpus_(cpus),
      stop_(stop) {}

cluster::SegmentOutcome ChunkRunner::operator()(const cluster::Task& task,
                                                std::atomic<std::int64_t>& frames) const {
  const int index = task.segment;
  constexpr int kStopNow = static_cast<int>(cluster::Stop::kNow);
  yield_to_others();
  const Segment& segment = plan_.segments.at(static_cast<std::size_t>(index));
  const RankStorage::Mezzanine made = storage_.mezzanine(segment);
  const fs::path path = directory_.new_file(
      index, media::mezzanine_extension(media::MezzanineCodec::kNone), store::Piece::kChunk);
  assemble::AssembleSpec spec = assemble_spec(job_, plan_, timeline_, directory_.final_dir());
  spec.segments = {
      {made.path, segment.core, plan_.held(segment), made.record.checksums, made.open}};
  spec.open_source = storage_.film();
  spec.threads = std::max(1, cpus_ / std::max(1, task.at_once));
  spec.one_of_many = true;

  const std::string started = utc_now();
  const media::WrittenMezzanine chunk =
      assemble::encode_chunk(path, spec, [&](std::int64_t encoded) {
        frames = encoded;
        return stop_.load() < kStopNow;
      });
  store::Record record = record_of(chunk_plan_, segment, path, chunk);
  record.started = started;
  record.device = "cpu";
  record.rank = rank_;
  record.attempt = task.attempt;
  record.wall_s = chunk.busy_s;
  record.stage_s = {{"encode", chunk.busy_s}};
  directory_.commit(chunk_plan_, record, store::Piece::kChunk);
  // The record stays: it says how the segment was made.
  if (!job_.segment.keep && !made.open) directory_.discard_file(made.record);
  log::info("assemble",
            "chunk {} committed: {} frames in {:.1f} s, {:.2f} fps",
            index,
            record.frames,
            record.wall_s,
            static_cast<double>(record.frames) / record.wall_s);
  return {.work = cluster::Work::kEncode, .segment = index, .ok = true};
}

}  // namespace vsr::launcher
