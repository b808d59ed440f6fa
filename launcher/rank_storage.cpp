#include "rank_storage.hpp"

#include "chunk_runner.hpp"
#include "planning.hpp"
#include "roles.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFilm = "film";  // the name that stands for it; pieces go by their own

// Room that stays free on the scratch disk, in mezzanines.
constexpr std::uint64_t kRoomFor = 4;

bool is_far(const Job& job, int rank) {
  return job.cluster.storage == Storage::kLocal && rank != 0;
}

[[noreturn]] void refuse_name(const std::string& name) {
  throw Error(ErrorCode::kCluster, format("'{}' is no file for ranks", name));
}

store::Piece piece_of(const cluster::Task& task) {
  return task.work == cluster::Work::kEncode ? store::Piece::kChunk : store::Piece::kSegment;
}

// What rank 0 calls the record that comes with a piece's file, until it is committed.
std::string record_of(const std::string& file) { return file + ".h5"; }

// What is cleared there must be ours.
void check_scratch(const fs::path& folder) {
  std::error_code error;
  const bool used = fs::exists(folder, error) && !fs::is_empty(folder, error);
  if (!used) return;
  if (store::RunDirectory::is_at(folder) && !fs::exists(folder / "plan.h5", error)) return;
  throw Error(ErrorCode::kStorage,
              format("{}: holds what no rank has left there: give another cluster.scratch",
                     folder.string()));
}

store::RunDirectory directory_for(const Job& job, int rank) {
  if (!is_far(job, rank)) return store::RunDirectory(job.run.dir);
  const fs::path scratch = job.cluster.scratch.empty() ? fs::path(job.run.dir) / "scratch"
                                                       : fs::path(job.cluster.scratch);
  const fs::path folder = scratch / format("rank-{}", rank);
  check_scratch(folder);
  try {
    return store::RunDirectory(folder);
  } catch (Error& error) {
    error.add_context("no scratch directory (cluster.scratch)");
    throw;
  }
}

// Its folders but for log/.
void clear(const store::RunDirectory& scratch) {
  std::error_code error;
  for (const store::Piece piece : {store::Piece::kSegment, store::Piece::kChunk}) {
    fs::remove_all(scratch.record_file(0, piece).parent_path(), error);
  }
  fs::remove_all(scratch.final_dir(), error);
}

}  // namespace

void check_storage(const Job& job, const media::SourceInfo& source) {
  if (job.cluster.storage != Storage::kLocal) return;
  if (job.segment.codec == SegmentCodec::kPng) {
    throw Error(ErrorCode::kUsage,
                "cluster.storage = local carries files, and with segment.codec = png a segment is "
                "a folder: set another segment.codec, ffv1 for instance");
  }
  if (source.container == "image2" && job.preprocess.mezzanine != MezzanineMode::kAlways) {
    throw Error(ErrorCode::kUsage,
                "cluster.storage = local carries files, and input.file is a sequence of pictures: "
                "set preprocess.mezzanine = always");
  }
}

std::unique_ptr<cluster::FileService> make_file_service(const Job& job,
                                                        const store::Plan& plan,
                                                        const store::RunDirectory& directory,
                                                        int ranks) {
  if (job.cluster.storage != Storage::kLocal || ranks == 1) return nullptr;
  cluster::ServedFiles files;
  files.to_read = [job, directory](const std::string& name) -> fs::path {
    if (name == kFilm) return job.input.file;
    const fs::path path = directory.root() / name;
    if (path == directory.timeline_mezzanine() || store::parse_piece_file(name)) return path;
    refuse_name(name);
  };
  files.to_write = [directory](const std::string& name) {
    const auto file = store::parse_piece_file(name);
    if (!file || !file->is_attempt) refuse_name(name);
    return directory.root() / name;
  };
  // The record comes last: with it the piece is committed.
  files.written = [directory, plan, chunks = chunk_plan(job, plan), keep = job.segment.keep](
                      const std::string& name) {
    const auto file = store::parse_piece_file(name);
    if (!file->is_record) return;
    const fs::path path = directory.root() / name;
    const store::Record record = store::decode_record(read_file(path));
    const bool chunk = file->piece == store::Piece::kChunk;
    directory.commit(chunk ? chunks : plan, record, file->piece);
    remove_file(path);
    if (keep || !chunk) return;
    if (const auto made = directory.committed(plan, record.segment, nullptr)) {
      directory.discard_file(*made);
    }
  };
  return std::make_unique<cluster::FileService>(std::move(files));
}

RankStorage::RankStorage(const Job& job,
                         const store::Plan& plan,
                         const cluster::Communicator& communicator,
                         const cluster::Capacity& capacity,
                         const std::atomic<int>& stop)
    : job_(job),
      plan_(plan),
      chunk_plan_(chunk_plan(job, plan)),
      keeps_(capacity.encoders > 0 && makes_chunks(job)),
      directory_(directory_for(job, communicator.rank())) {
  if (!is_far(job, communicator.rank())) return;
  try {
    lock_ = std::make_unique<store::RunLock>(directory_, store::RunLock::Hold::kAlone);
  } catch (const Error&) {
    throw Error(ErrorCode::kStorage,
                format("{}: another job works in this scratch directory: give this one another "
                       "--cluster.scratch",
                       directory_.root().string()));
  }
  clear(directory_);
  static_cast<void>(store::RunDirectory(directory_.root()));  // makes its folders anew
  far_ = std::make_unique<cluster::FarFiles>(stop);
}

RankStorage::~RankStorage() {
  if (far_) clear(directory_);
}

OpenBytes RankStorage::opener(const std::string& name) const {
  if (!far_) return {};
  return [far = far_.get(), name] { return far->open(name); };
}

OpenBytes RankStorage::film() const { return opener(kFilm); }

media::Timeline RankStorage::timeline() const {
  media::Timeline timeline = timeline_of(plan_, job_, directory_);
  timeline.open =
      timeline.own_mezzanine ? opener(directory_.timeline_mezzanine().filename()) : film();
  return timeline;
}

RankStorage::Mezzanine RankStorage::mezzanine(const Segment& segment) const {
  std::string why;
  if (auto made = directory_.committed(plan_, segment, &why)) {
    const fs::path path = directory_.file_of(*made);
    return {std::move(*made), path, {}};
  }
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorCode::kStorage,
                format("segment {} is to be encoded, but {}", segment.index, reason));
  };
  if (!far_) refuse(why.empty() ? "is gone" : why);
  const auto name_of = [&](const fs::path& file) {
    return file.lexically_relative(directory_.root()).string();
  };
  store::Record record =
      store::decode_record(far_->read(name_of(directory_.record_file(segment.index))));
  if (record.plan_fingerprint != plan_.fingerprint() || !(record.segment == segment)) {
    refuse("its record is of another plan");
  }
  const fs::path path = directory_.file_of(record);
  return {std::move(record), path, opener(name_of(path))};
}

bool RankStorage::is_made(const cluster::Task& task) const {
  if (far_) return false;
  const store::Piece piece = piece_of(task);
  const Segment& segment = plan_.segments.at(static_cast<std::size_t>(task.segment));
  return directory_.committed(plan_of(piece), segment, nullptr, piece).has_value();
}

cluster::SegmentOutcome RankStorage::make(const cluster::Task& task,
                                          const std::function<cluster::SegmentOutcome()>& work) {
  if (!far_) return work();

  {
    const std::lock_guard lock(mutex_);
    in_use_.insert(task.segment);
  }
  const auto end = [&] {
    const std::lock_guard lock(mutex_);
    in_use_.erase(in_use_.find(task.segment));
  };
  try {
    cluster::SegmentOutcome outcome = make_in_scratch(work);
    if (outcome.ok) hand_in(task);
    end();
    return outcome;
  } catch (...) {
    end();
    throw;
  }
}

cluster::SegmentOutcome RankStorage::make_in_scratch(
    const std::function<cluster::SegmentOutcome()>& work) {
  try {
    make_room();
    return work();
  } catch (const DiskFull& error) {
    throw Error(ErrorCode::kStorage, format("{} (cluster.scratch)", error.what()));
  }
}

const store::Plan& RankStorage::plan_of(store::Piece piece) const {
  return piece == store::Piece::kChunk ? chunk_plan_ : plan_;
}

void RankStorage::hand_in(const cluster::Task& task) {
  const store::Piece piece = piece_of(task);
  const bool chunk = piece == store::Piece::kChunk;
  const Segment& segment = plan_.segments.at(static_cast<std::size_t>(task.segment));
  std::string why;
  const auto record = directory_.committed(plan_of(piece), segment, &why, piece);
  if (!record) throw Error(ErrorCode::kStorage, format("what was made is damaged: {}", why));
  const fs::path file = directory_.file_of(*record, piece);
  const std::string name = file.lexically_relative(directory_.root()).string();
  const auto begin = std::chrono::steady_clock::now();
  far_->put(file, name);
  // The record last: with it the piece is committed there, too.
  far_->put(directory_.record_file(task.segment, piece), record_of(name));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  log::info("cluster",
            "{} handed in: {} in {}",
            cluster::describe(task.work, task.segment),
            size_text(static_cast<double>(record->bytes)),
            duration_text(took.count()));
  if (chunk) directory_.discard(task.segment, piece);
  const std::lock_guard lock(mutex_);
  if (chunk || !keeps_) {
    drop_mezzanine(task.segment);
  } else {
    kept_.insert(task.segment);
  }
}

// With mutex_ held.
void RankStorage::drop_mezzanine(int segment) {
  directory_.discard(segment);
  kept_.erase(segment);
}

// What was kept to be encoded here goes, the last of the film first, where room is short: rank 0
// has it, and hands chunks out from the beginning.
void RankStorage::make_room() {
  const std::lock_guard lock(mutex_);
  for (auto it = kept_.rbegin(); it != kept_.rend();) {
    const int segment = *it++;
    const auto made =
        directory_.committed(plan_, plan_.segments.at(static_cast<std::size_t>(segment)), nullptr);
    if (made && free_bytes(directory_.root()) >= kRoomFor * made->bytes) return;
    if (in_use_.contains(segment)) continue;
    drop_mezzanine(segment);
    it = kept_.rbegin();
  }
}

}  // namespace vsr::launcher
