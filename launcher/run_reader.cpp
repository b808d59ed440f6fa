#include "run_reader.hpp"

#include "chunk_runner.hpp"
#include "final_films.hpp"
#include "roles.hpp"
#include "version.hpp"
#include "vsr/assemble/seams.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/cluster/task.hpp"
#include "vsr/job/job_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kWorstShown = 12;
constexpr std::size_t kMiddleShown = 4;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

double back_projection_at(const store::Record& record, std::int64_t frame) {
  const auto& values = record.measures.back_projection_db;
  const std::int64_t index = frame - record.segment.core.begin;
  if (index < 0 || index >= static_cast<std::int64_t>(values.size())) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return values[static_cast<std::size_t>(index)];
}

double bytes_of(const fs::path& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  return error ? -1 : static_cast<double>(bytes);
}

bool worse(const status::ReportPicture& a, const status::ReportPicture& b) {
  if (std::isnan(a.back_projection_db)) return false;
  return std::isnan(b.back_projection_db) || a.back_projection_db < b.back_projection_db;
}

}  // namespace

RunReader::RunReader(store::RunDirectory directory) : directory_(std::move(directory)) {
  auto plan = directory_.read_plan();
  if (!plan) {
    throw Error(ErrorCode::kStorage,
                format("{}: the run was not planned yet", directory_.root().string()));
  }
  take_plan(std::move(*plan));
  try {
    take_job(parse_job_text(read_file(directory_.job_file())));
  } catch (const Error& error) {
    job_problem_ = format("job.ini cannot be used ({}), so chunks are not told of", error.what());
  }
}

RunReader::RunReader(store::RunDirectory directory, store::Plan plan, const Job& job)
    : directory_(std::move(directory)) {
  take_plan(std::move(plan));
  take_job(job);
  try {
    if (!finished_films(directory_, identity_)) stamp_of_gone_ = look_at(directory_.final_stamp());
  } catch (const Error&) {
    // Then the films count as made as long as the stamp cannot be read.
  }
}

void RunReader::take_plan(store::Plan plan) {
  data_.run.plan = std::move(plan);
  data_.run_dir = directory_.root().string();
  data_.program_version = program_version();
  const std::size_t count = data_.run.plan.segments.size();
  data_.run.segments.resize(count);
  segments_.resize(count);
  chunks_.resize(count);
}

void RunReader::take_job(const Job& job) {
  data_.run.job = job_values(job);
  for (auto& [key, value] : data_.run.job) {
    if (store::is_secret_key(key) && !value.empty()) value = "***";
  }
  data_.run.in_chunks = makes_chunks(job);
  if (data_.run.in_chunks) {
    chunk_plan_ = chunk_plan(job, data_.run.plan);
    data_.run.chunk_fingerprint = chunk_plan_->fingerprint();
    data_.run.chunks.resize(data_.run.plan.segments.size());
  }
  identity_ = final_identity(job, chunk_plan_ ? *chunk_plan_ : data_.run.plan);
  data_.source = {fs::path(job.input.file).filename().string(), bytes_of(job.input.file)};
}

// What has ended stays as it is.
void RunReader::read_starts() {
  const auto before = std::exchange(data_.run.starts, {});
  start_problems_.clear();
  for (const std::string& name : directory_.starts()) {
    const auto known = std::ranges::find_if(before, [&](const auto& start) {
      return start.first == name && !start.second.ended.empty();
    });
    if (known != before.end()) {
      data_.run.starts.push_back(*known);
      continue;
    }
    try {
      data_.run.starts.emplace_back(
          name, store::decode_start_file(read_file(directory_.start_file(name))));
    } catch (const Error& error) {
      start_problems_.push_back(format("starts/{}.json cannot be used: {}", name, error.what()));
    }
  }
}

RunReader::Look RunReader::look_at(const fs::path& file) {
  std::error_code error;
  const auto time = fs::last_write_time(file, error);
  if (error) return std::nullopt;
  const auto bytes = fs::file_size(file, error);
  return error ? Look() : Look({time, bytes});
}

bool RunReader::update() { return read(true); }

bool RunReader::update_new() { return read(false); }

bool RunReader::read(bool all) {
  read_starts();
  bool is_new = read_pieces(store::Piece::kSegment, data_.run.plan, data_.run.segments, all);
  if (chunk_plan_) {
    is_new = read_pieces(store::Piece::kChunk, *chunk_plan_, data_.run.chunks, all) || is_new;
  }
  fill_from_ledger();
  std::ranges::sort(data_.run.seams, {}, &store::LedgerSeam::frame);
  data_.run.written = utc_now();
  return is_new;
}

bool RunReader::is_made() const {
  try {
    const Look stamp = look_at(directory_.final_stamp());
    return stamp && stamp != stamp_of_gone_ && were_made(directory_, identity_);
  } catch (const Error&) {  // it was there just now
    return false;
  }
}

bool RunReader::read_pieces(store::Piece piece,
                            const store::Plan& plan,
                            store::LedgerPieces& records,
                            bool all) {
  std::vector<Known>& known = piece == store::Piece::kChunk ? chunks_ : segments_;
  std::set<int> there;
  if (!all) {
    try {
      const std::vector<int> recorded = directory_.recorded_segments(piece);
      there.insert(recorded.begin(), recorded.end());
    } catch (const Error&) {
      all = true;  // each says what is wrong
    }
  }
  std::optional<bool> made;
  bool is_new = false;
  for (const Segment& segment : plan.segments) {
    const auto index = static_cast<std::size_t>(segment.index);
    if (!all && there.contains(segment.index) == known[index].look.has_value()) continue;
    const fs::path file = directory_.record_file(segment.index, piece);
    const Look look = look_at(file);
    // One that could not be used may have been read at a bad moment of the disk's.
    if (look == known[index].look && !(all && !known[index].problem.empty())) continue;
    const std::string before = std::move(known[index].problem);
    known[index] = {look, ""};
    // Asked once a record is gone, since it may have been there when the films were not.
    if (!look && !made) made = is_made();
    if (!look && *made) continue;
    records[index].reset();
    std::string why;
    std::optional<store::Record> record;
    try {
      record = directory_.recorded(plan, segment, &why, piece);
    } catch (const Error& failure) {
      why = failure.what();
    }
    const auto work =
        piece == store::Piece::kChunk ? cluster::Work::kEncode : cluster::Work::kUpscale;
    if (record && hear_) hear_({work, segment.index}, *record);
    if (record) take(std::move(*record), piece, records);
    if (!why.empty()) {
      known[index].problem = format("{}: {}", cluster::describe(work, segment.index), why);
    }
    is_new = is_new || why.empty() || known[index].problem != before;
  }
  return is_new;
}

void RunReader::take(store::Record record, store::Piece piece, store::LedgerPieces& records) {
  const auto index = static_cast<std::size_t>(record.segment.index);
  if (piece == store::Piece::kSegment) {
    forget_pictures(record.segment.index);
    take_pictures(record);
    measure_seams(record);
  }
  records[index] = store::ledger_piece(std::move(record));
}

void RunReader::forget_pictures(int segment) {
  const auto of_it = [&](const status::ReportPicture& picture) {
    return picture.segment == segment;
  };
  std::erase_if(data_.worst, of_it);
  std::erase_if(data_.middle, of_it);
}

// The worst of all, and a few as the film usually looks: one of each quarter of it.
void RunReader::take_pictures(const store::Record& record) {
  const auto count = static_cast<std::int64_t>(data_.run.plan.segments.size());
  const auto quarter = [&](int segment) {
    return segment * static_cast<std::int64_t>(kMiddleShown) / count;
  };
  for (const Preview& preview : record.previews) {
    const status::ReportPicture picture{
        record.segment.index, back_projection_at(record, preview.frame), preview};
    if (preview.kind == "worst") {
      data_.worst.push_back(picture);
      std::ranges::stable_sort(data_.worst, worse);
      if (data_.worst.size() > kWorstShown) data_.worst.pop_back();
    } else if (std::ranges::none_of(data_.middle, [&](const status::ReportPicture& other) {
                 return quarter(other.segment) == quarter(record.segment.index);
               })) {
      data_.middle.push_back(picture);
      std::ranges::sort(data_.middle, {}, [](const auto& shown) { return shown.preview.frame; });
    }
  }
}

// The neighbours' luma was not kept, since it is megabytes: it is read again, but for that of the
// record before this one, which is the neighbour where a whole run is read.
void RunReader::measure_seams(const store::Record& record) {
  const int index = record.segment.index;
  std::erase_if(data_.run.seams, [&](const store::LedgerSeam& seam) {
    return seam.segment == index || seam.segment == index + 1;
  });
  seams_.erase(index);
  seams_.erase(index + 1);
  const auto neighbour = [&](int other) -> std::optional<store::Record> {
    const auto& segments = data_.run.plan.segments;
    const auto at = static_cast<std::size_t>(other);
    if (other < 0 || at >= segments.size() || !data_.run.segments[at]) return std::nullopt;
    if (last_ && last_->segment.index == other) return last_;
    return directory_.recorded(data_.run.plan, segments[at], nullptr);
  };
  if (const auto before = neighbour(index - 1)) measure_seam(*before, record);
  if (const auto behind = neighbour(index + 1)) measure_seam(record, *behind);
  last_.emplace();
  last_->segment = record.segment;
  last_->seam_luma = record.seam_luma;
}

void RunReader::measure_seam(const store::Record& before, const store::Record& behind) {
  try {
    const assemble::Seam seam =
        assemble::measure_seam(behind.segment.core.begin, before.seam_luma, behind.seam_luma);
    seams_[behind.segment.index] = seam;
    data_.run.seams.push_back({behind.segment.index,
                               seam.frame,
                               seam.likeness_db.value_or(std::numeric_limits<double>::quiet_NaN()),
                               seam.step,
                               seam.usual_step,
                               assemble::may_be_seen(seam)});
  } catch (const Error&) {
    // One of them kept no luma.
  }
}

// Again each time, since a job that shares the run may have read records that are gone by now.
void RunReader::fill_from_ledger() {
  const auto is_whole = [](const store::LedgerPieces& records) {
    return std::ranges::all_of(records, [](const auto& record) { return record.has_value(); });
  };
  if (is_whole(data_.run.segments) && is_whole(data_.run.chunks)) return;
  std::error_code error;
  if (!is_made() || !fs::exists(directory_.run_file(), error)) return;
  try {
    store::RunLedger old =
        store::decode_ledger(read_file(directory_.run_file(), kMostBytes), data_.run.plan);
    const auto fill = [](store::LedgerPieces& records, store::LedgerPieces& others) {
      for (std::size_t i = 0; i < records.size() && i < others.size(); ++i) {
        if (!records[i]) records[i] = std::move(others[i]);
      }
    };
    fill(data_.run.segments, old.segments);
    if (old.chunk_fingerprint == data_.run.chunk_fingerprint) fill(data_.run.chunks, old.chunks);
    std::set<int> known;
    for (const store::LedgerSeam& seam : data_.run.seams) known.insert(seam.segment);
    for (const store::LedgerSeam& seam : old.seams) {
      if (!known.contains(seam.segment)) data_.run.seams.push_back(seam);
    }
  } catch (const Error&) {
    // Of an older version, or damaged: it is written anew.
  }
}

status::ReportData RunReader::report_data() const {
  status::ReportData data = data_;
  data.made = utc_now();
  if (!job_problem_.empty()) data.problems.push_back(job_problem_);
  for (const std::string& problem : start_problems_) data.problems.push_back(problem);
  const auto add = [&](const std::vector<Known>& pieces, const store::LedgerPieces& records) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (pieces[i].problem.empty()) continue;
      const bool is_told = i < records.size() && records[i];
      data.problems.push_back(pieces[i].problem +
                              (is_told ? "; what is told of it is from run.h5" : ""));
    }
  };
  add(segments_, data.run.segments);
  add(chunks_, data.run.chunks);
  for (const fs::path& film : directory_.films()) {
    data.films.push_back({film.filename().string(), bytes_of(film)});
  }
  return data;
}

}  // namespace vsr::launcher
