#include "vsr/store/record.hpp"

#include "h5.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <cstddef>

namespace vsr::store {

namespace {

// One row of seam_luma a frame.
void write_luma(h5::Writer& file, const LumaByFrame& luma) {
  const LumaSamples shape = luma.empty() ? LumaSamples{} : luma.begin()->second;
  std::vector<std::int64_t> frames;
  std::vector<std::uint16_t> values;
  for (const auto& [frame, samples] : luma) {
    if (samples.values.size() != shape.values.size()) {
      throw Error(ErrorCode::kInternal, "luma of pictures of several sizes in a record");
    }
    frames.push_back(frame);
    values.insert(values.end(), samples.values.begin(), samples.values.end());
  }
  file.attribute("seam_luma_width", std::int64_t{shape.width});
  file.attribute("seam_luma_height", std::int64_t{shape.height});
  file.attribute("seam_luma_bit_depth", std::int64_t{shape.bit_depth});
  file.dataset("seam_frames", frames);
  file.dataset("seam_luma", values, std::max<std::size_t>(1, shape.values.size()));
}

LumaByFrame read_luma(const h5::Reader& file) {
  LumaSamples shape;
  shape.width = static_cast<int>(file.integer("seam_luma_width"));
  shape.height = static_cast<int>(file.integer("seam_luma_height"));
  shape.bit_depth = static_cast<int>(file.integer("seam_luma_bit_depth"));
  const auto frames = file.integers("seam_frames");
  const auto values = file.halfwords("seam_luma");
  const std::size_t places =
      static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(shape.height);
  if (values.size() != frames.size() * places) {
    throw Error(ErrorCode::kStorage, "the luma beside its ends is torn");
  }
  LumaByFrame luma;
  auto row = values.begin();
  for (const std::int64_t frame : frames) {
    const auto end = row + static_cast<std::ptrdiff_t>(places);
    shape.values.assign(row, end);
    luma.emplace(frame, shape);
    row = end;
  }
  return luma;
}

struct Measure {
  const char* name;
  const char* unit;
  std::vector<float> FrameMeasures::*values;
};

constexpr Measure kMeasures[] = {
    {"frame_decode_s", "s", &FrameMeasures::decode_s},
    {"frame_network_s", "s", &FrameMeasures::network_s},
    {"frame_encode_s", "s", &FrameMeasures::encode_s},
    {"frame_luma_mean", "1, black to white", &FrameMeasures::luma_mean},
    {"frame_sharpness", "1/pixel", &FrameMeasures::sharpness},
    {"frame_sharpness_gain", "1", &FrameMeasures::sharpness_gain},
    {"frame_back_projection_db", "dB", &FrameMeasures::back_projection_db},
};

struct PreviewFile {
  const char* name;
  std::string Preview::*bytes;
};

constexpr PreviewFile kPreviewFiles[] = {
    {"before", &Preview::before},
    {"after", &Preview::after},
    {"detail_before", &Preview::detail_before},
    {"detail_after", &Preview::detail_after},
};

std::string preview_dataset(const std::string& kind, const char* file) {
  return format("preview_{}_{}", kind, file);
}

void write_previews(h5::Writer& file, const std::vector<Preview>& previews) {
  std::vector<std::string> kinds;
  std::vector<std::int64_t> frames;
  for (const Preview& preview : previews) {
    kinds.push_back(preview.kind);
    frames.push_back(preview.frame);
    for (const auto& [name, bytes] : kPreviewFiles) {
      file.dataset_bytes(preview_dataset(preview.kind, name), preview.*bytes);
    }
  }
  file.dataset("preview_kinds", kinds);
  file.dataset("preview_frames", frames);
}

// Those of `kind`; empty: all.
std::vector<Preview> read_previews(const h5::Reader& file, const std::string& kind) {
  const auto kinds = file.texts("preview_kinds");
  const auto frames = file.integers("preview_frames");
  std::vector<Preview> previews;
  for (std::size_t i = 0; i < kinds.size() && i < frames.size(); ++i) {
    if (!kind.empty() && kinds[i] != kind) continue;
    Preview& preview = previews.emplace_back(Preview{.frame = frames[i], .kind = kinds[i]});
    for (const auto& [name, bytes] : kPreviewFiles) {
      preview.*bytes = file.bytes(preview_dataset(kinds[i], name));
    }
  }
  return previews;
}

// Its version, where this program knows it.
std::int64_t check_record(const h5::Reader& file) {
  if (file.text("format") != "vsr-dist record") {
    throw Error(ErrorCode::kStorage, "not a record of vsr-dist");
  }
  const std::int64_t version = file.integer("version");
  if (version < kOldestRecordVersion || version > kRecordVersion) {
    throw Error(ErrorCode::kStorage,
                format("record version {}, this program knows {} to {}",
                       version,
                       kOldestRecordVersion,
                       kRecordVersion));
  }
  return version;
}

bool has_measures(std::int64_t version) { return version >= 4; }

}  // namespace

std::string encode_record(const Record& record) {
  h5::Writer file;
  file.attribute("format", std::string("vsr-dist record"));
  file.attribute("version", std::int64_t{kRecordVersion});
  file.attribute("plan_fingerprint", record.plan_fingerprint);
  file.attribute("file", record.file);
  file.attribute("segment", std::int64_t{record.segment.index});
  file.attribute("core_begin", record.segment.core.begin);
  file.attribute("core_end", record.segment.core.end);
  file.attribute("input_begin", record.segment.input.begin);
  file.attribute("input_end", record.segment.input.end);
  file.attribute("frames", record.frames);
  file.attribute("bytes", static_cast<std::int64_t>(record.bytes));
  file.attribute("host", record.host);
  file.attribute("device", record.device);
  file.attribute("rank", std::int64_t{record.rank});
  file.attribute("attempt", std::int64_t{record.attempt});
  file.attribute("started", record.started);
  file.attribute("wall_s", record.wall_s);
  file.dataset("packet_crc32", record.checksums);
  // Columns: first timeline frame given, frames the network saw.
  std::vector<std::int64_t> windows;
  for (const auto& [first, seen] : record.windows) windows.insert(windows.end(), {first, seen});
  file.dataset("windows", windows, 2);
  std::vector<std::string> stages;
  std::vector<double> seconds;
  for (const auto& [stage, busy_s] : record.stage_s) {
    stages.push_back(stage);
    seconds.push_back(busy_s);
  }
  file.dataset("stage_names", stages);
  file.dataset("stage_busy_s", seconds);
  file.dataset("events", record.events);
  write_luma(file, record.seam_luma);
  for (const Measure& measure : kMeasures) {
    file.dataset(measure.name, record.measures.*measure.values, measure.unit);
  }
  write_previews(file, record.previews);
  return file.finish();
}

Record decode_record(const std::string& bytes) {
  const h5::Reader file(bytes);
  const std::int64_t version = check_record(file);
  Record record;
  record.plan_fingerprint = file.text("plan_fingerprint");
  record.file = file.text("file");
  record.segment.index = static_cast<int>(file.integer("segment"));
  record.segment.core = {file.integer("core_begin"), file.integer("core_end")};
  record.segment.input = {file.integer("input_begin"), file.integer("input_end")};
  record.frames = file.integer("frames");
  record.bytes = static_cast<std::uint64_t>(file.integer("bytes"));
  record.host = file.text("host");
  record.device = file.text("device");
  record.rank = static_cast<int>(file.integer("rank"));
  record.attempt = static_cast<int>(file.integer("attempt"));
  record.started = file.text("started");
  record.wall_s = file.real("wall_s");
  record.checksums = file.words("packet_crc32");
  const auto windows = file.integers("windows");
  for (std::size_t i = 0; i + 1 < windows.size(); i += 2) {
    record.windows.emplace_back(windows[i], static_cast<int>(windows[i + 1]));
  }
  const auto stages = file.texts("stage_names");
  const auto seconds = file.reals("stage_busy_s");
  for (std::size_t i = 0; i < stages.size() && i < seconds.size(); ++i) {
    record.stage_s.emplace_back(stages[i], seconds[i]);
  }
  record.events = file.texts("events");
  record.seam_luma = read_luma(file);
  if (!has_measures(version)) return record;
  for (const Measure& measure : kMeasures) {
    record.measures.*measure.values = file.floats(measure.name);
  }
  record.previews = read_previews(file, "");
  return record;
}

std::optional<Preview> read_preview(const std::string& record_bytes, const std::string& kind) {
  const h5::Reader file(record_bytes);
  if (!has_measures(check_record(file))) return std::nullopt;
  for (Preview& preview : read_previews(file, kind)) return std::move(preview);
  return std::nullopt;
}

}  // namespace vsr::store
