#include "vsr/store/ledger_file.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace vsr::store {
namespace {

Plan a_plan(int segments, std::int64_t frames_of_each) {
  Plan plan;
  plan.identity = {{"input", "abc"}, {"model.precision", "fp16"}};
  plan.timeline_frames = segments * frames_of_each;
  plan.picture.width = 4096;
  plan.picture.height = 1728;
  for (int i = 0; i < segments; ++i) {
    const FrameRange core{i * frames_of_each, (i + 1) * frames_of_each};
    plan.segments.push_back({i, core, core});
  }
  return plan;
}

LedgerPiece a_piece(const Segment& segment) {
  Record record;
  record.segment = segment;
  record.file = format("{:04d}-0badcafe.mov", segment.index);
  record.frames = segment.core.size();
  record.bytes = 1'000'000'007;
  record.host = "pod-\u00fc";
  record.device = "NVIDIA H200";
  record.rank = 3;
  record.attempt = 2;
  record.started = "2026-01-02T03:04:05Z";
  record.wall_s = 12.5;
  record.stage_s = {{"decode", 1.5}, {"network", 11.0}, {"encode", 4.25}};
  record.checksums.assign(static_cast<std::size_t>(record.frames), 0xdeadbeef);
  record.events = {"window 96 -> 48"};
  for (std::int64_t frame = segment.core.begin; frame < segment.core.end; ++frame) {
    // No two alike, as measured values are.
    const auto value =
        static_cast<float>(std::fmod(static_cast<double>(frame) * 0.7548776662, 1.0));
    record.measures.decode_s.push_back(value * 1e-3F);
    record.measures.network_s.push_back(value * 2e-2F);
    record.measures.encode_s.push_back(value * 3e-2F);
    record.measures.luma_mean.push_back(value);
    record.measures.sharpness.push_back(value * 0.1F);
    record.measures.sharpness_gain.push_back(1 + value);
    record.measures.back_projection_db.push_back(35 + 10 * value);
  }
  return ledger_piece(std::move(record));
}

// Some of it made.
RunLedger a_run() {
  RunLedger run;
  run.plan = a_plan(3, 5);
  run.job = {{"final.height", "1440"}, {"status.token", "***"}};
  StartFile start;
  start.command = {"vsr-dist", "job.ini"};
  start.ranks.push_back({0, "pod-a", "NVIDIA H200", 16, 1 << 30, false});
  start.events.push_back({"2026-01-02T03:04:05Z", "warning", 0, "cluster: slow"});
  run.starts = {{"2026-01-02T03-04-05Z-pod-a-7", start}};
  run.in_chunks = true;
  run.segments.resize(3);
  run.segments[0] = a_piece(run.plan.segments[0]);
  run.segments[2] = a_piece(run.plan.segments[2]);
  run.chunk_fingerprint = "c0ffee";
  run.chunks.resize(3);
  run.chunks[0] = a_piece(run.plan.segments[0]);
  run.chunks[0]->stage_s = {{"encode", 9.0}};
  run.seams.push_back({1, 5, 41.5, 3.25, 3.0, true});
  run.seams.push_back({2, 10, std::numeric_limits<double>::quiet_NaN(), 3.5, 3.5, false});
  run.written = "2026-01-02T03:05:00Z";
  return run;
}

TEST(LedgerFile, PiecesAndSeamsComeBackAsTheyWere) {
  const RunLedger run = a_run();
  const RunLedger again = decode_ledger(encode_ledger(run), run.plan);
  ASSERT_EQ(again.segments.size(), 3U);
  EXPECT_FALSE(again.segments[1]);
  for (const std::size_t i : {0U, 2U}) {
    ASSERT_TRUE(again.segments[i]);
    const LedgerPiece& was = *run.segments[i];
    const LedgerPiece& is = *again.segments[i];
    EXPECT_EQ(is.segment, was.segment);
    EXPECT_EQ(is.file, was.file);
    EXPECT_EQ(is.bytes, was.bytes);
    EXPECT_EQ(is.host, was.host);
    EXPECT_EQ(is.device, was.device);
    EXPECT_EQ(is.rank, was.rank);
    EXPECT_EQ(is.attempt, was.attempt);
    EXPECT_EQ(is.started, was.started);
    EXPECT_EQ(is.wall_s, was.wall_s);
    EXPECT_EQ(is.stage_s, was.stage_s);
    EXPECT_EQ(is.events, was.events);
    EXPECT_EQ(is.content_crc32, was.content_crc32);
    EXPECT_EQ(is.measures, was.measures);
  }
  EXPECT_EQ(again.chunk_fingerprint, "c0ffee");
  ASSERT_TRUE(again.chunks.at(0));
  EXPECT_EQ(again.chunks[0]->stage_s, run.chunks[0]->stage_s);
  EXPECT_EQ(film_encode_s_by_frame(again).at(4), 9.0F / 5);
  EXPECT_TRUE(std::isnan(film_encode_s_by_frame(again).at(5)));
  ASSERT_EQ(again.seams.size(), 2U);
  EXPECT_EQ(again.seams[0].likeness_db, 41.5);
  EXPECT_TRUE(again.seams[0].may_be_seen);
  EXPECT_TRUE(std::isnan(again.seams[1].likeness_db));
}

TEST(LedgerFile, OfAnotherPlanOrDamagedIsRefused) {
  const RunLedger run = a_run();
  std::string bytes = encode_ledger(run);
  EXPECT_THROW(decode_ledger(bytes, a_plan(3, 6)), Error);
  EXPECT_THROW(decode_ledger(encode_plan(run.plan), run.plan), Error);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  EXPECT_THROW(decode_ledger(bytes, run.plan), Error);
}

TEST(LedgerFile, PacketsAreToldApartByTheirCrc) {
  Record record;
  record.checksums = {1, 2, 3};
  const auto crc = ledger_piece(record).content_crc32;
  EXPECT_EQ(crc, ledger_piece(record).content_crc32);
  record.checksums = {1, 3, 2};
  EXPECT_NE(crc, ledger_piece(record).content_crc32);
}

TEST(LedgerFile, WithoutAnyRecordIsWhole) {
  RunLedger run;
  run.plan = a_plan(2, 4);
  run.segments.resize(2);
  const RunLedger again = decode_ledger(encode_ledger(run), run.plan);
  EXPECT_FALSE(again.segments.at(0));
  EXPECT_TRUE(again.seams.empty());
}

// --- The layout is what docs/ledger.md says
// ----------------------------------------------------------

struct Dataset {
  std::string type;
  std::string unit;
  std::string description;
  bool grows = false;

  bool operator==(const Dataset&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Dataset& data) {
  return out << data.type << " | " << data.unit << " | " << data.description;
}

std::string text_attribute(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) return "(none)";
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  const hid_t type = H5Aget_type(attribute);
  char* raw = nullptr;
  H5Aread(attribute, type, &raw);
  std::string text = raw == nullptr ? "" : raw;
  H5free_memory(raw);
  H5Tclose(type);
  H5Aclose(attribute);
  return text;
}

std::string type_name(hid_t data) {
  const hid_t type = H5Dget_type(data);
  const std::size_t size = H5Tget_size(type);
  std::string name = "other";
  if (H5Tget_class(type) == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2) {
    name = format("int{}", 8 * size);
  } else if (H5Tget_class(type) == H5T_FLOAT) {
    name = format("float{}", 8 * size);
  } else if (H5Tis_variable_str(type) > 0 && H5Tget_cset(type) == H5T_CSET_UTF8) {
    name = "text";
  }
  H5Tclose(type);
  return name;
}

// Chunked by 4096, shuffled, deflated, without end.
bool grows(hid_t data) {
  const hid_t creation = H5Dget_create_plist(data);
  const hid_t space = H5Dget_space(data);
  hsize_t chunk = 0;
  hsize_t most = 0;
  hsize_t length = 0;
  const bool chunked = H5Pget_layout(creation) == H5D_CHUNKED &&
                       H5Pget_chunk(creation, 1, &chunk) == 1 && chunk == 4096;
  H5Sget_simple_extent_dims(space, &length, &most);
  const bool found = chunked && H5Pget_nfilters(creation) == 2 && most == H5S_UNLIMITED;
  H5Sclose(space);
  H5Pclose(creation);
  return found;
}

herr_t visit(hid_t object, const char* name, const H5O_info_t* info, void* found) {
  if (info->type != H5O_TYPE_DATASET) return 0;
  const hid_t data = H5Dopen2(object, name, H5P_DEFAULT);
  auto& datasets = *static_cast<std::map<std::string, Dataset>*>(found);
  datasets[std::string("/") + name] = {type_name(data),
                                       text_attribute(data, "unit"),
                                       text_attribute(data, "description"),
                                       grows(data)};
  H5Dclose(data);
  return 0;
}

std::map<std::string, Dataset> datasets_of(const std::string& bytes) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "run.h5";
  write_file(path, bytes);
  std::map<std::string, Dataset> found;
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  EXPECT_GE(file, 0);
  H5Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit, &found);
  H5Fclose(file);
  return found;
}

// Rows "| `/segments/index` | int64 | index | of the segment |".
std::map<std::string, Dataset> documented() {
  std::ifstream page(test::source_dir() / "docs" / "ledger.md");
  std::map<std::string, Dataset> found;
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("| `/", 0) != 0) continue;
    std::vector<std::string> cells;
    std::size_t begin = 2;
    for (std::size_t end = 0; (end = line.find(" |", begin)) != std::string::npos;
         begin = end + 3) {
      cells.push_back(line.substr(begin, end - begin));
    }
    EXPECT_EQ(cells.size(), 4U) << line;
    if (cells.size() != 4) continue;
    const std::string name = cells[0].substr(1, cells[0].size() - 2);
    found[name] = {cells[1], cells[2], cells[3], name.rfind("/frames/", 0) == 0};
  }
  return found;
}

TEST(LedgerFile, EveryDatasetIsDocumentedAndEveryDocumentedOneIsThere) {
  const auto is = datasets_of(encode_ledger(a_run()));
  const auto told = documented();
  std::string table;
  for (const auto& [name, data] : is) {
    table += format("| `{}` | {} | {} | {} |\n", name, data.type, data.unit, data.description);
  }
  EXPECT_EQ(is, told) << "the table of docs/ledger.md ought to be:\n" << table;
  EXPECT_TRUE(is.at("/frames/luma_mean").grows);
}

TEST(LedgerFile, LinksLeadToTheRecordsThatAreThere) {
  const test::TemporaryFolder folder;
  const RunLedger run = a_run();
  make_directories(folder.path() / "segments");
  Record record;
  record.segment = run.plan.segments[2];
  record.file = "0002-0badcafe.mov";
  write_file(folder.path() / "segments" / "0002.h5", encode_record(record));
  write_file(folder.path() / "run.h5", encode_ledger(run));
  const hid_t file = H5Fopen((folder.path() / "run.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const hid_t linked = H5Oopen(file, "records/0002", H5P_DEFAULT);
  ASSERT_GE(linked, 0);
  EXPECT_EQ(text_attribute(linked, "file"), "0002-0badcafe.mov");
  EXPECT_EQ(H5Lexists(file, "records/0001", H5P_DEFAULT), 0);
  H5Oclose(linked);
  H5Fclose(file);
}

TEST(LedgerFile, ThreeHoursAreSmallAndSoonWritten) {
  RunLedger run;
  run.plan = a_plan(600, 450);
  run.in_chunks = true;
  for (const Segment& segment : run.plan.segments) {
    run.segments.emplace_back(a_piece(segment));
    run.chunks.emplace_back(a_piece(segment));
  }
  const auto begin = std::chrono::steady_clock::now();
  const test::ProcessorTime before = test::processor_time();
  const std::string bytes = encode_ledger(run);
  const test::ProcessorTime used = test::processor_time() - before;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  std::printf("%.1f MB in %.2f s (%.2f s of the processor)\n",
              static_cast<double>(bytes.size()) / 1e6,
              wall.count(),
              used.user_s + used.system_s);
  // A fifth of a second, of the processor, since others may be at work here; with room for slow
  // ones.
  EXPECT_LT(used.user_s + used.system_s, 10.0);
  EXPECT_LT(bytes.size(), 10'000'000U);
}

}  // namespace
}  // namespace vsr::store
