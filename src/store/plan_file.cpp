#include "vsr/store/plan_file.hpp"

#include "h5.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"

namespace vsr::store {

namespace {

template <typename Enum>
Enum to_enum(std::int64_t value, Enum last) {
  if (value < 0 || value > static_cast<std::int64_t>(last)) {
    throw Error(ErrorCode::kStorage, "a value out of range");
  }
  return static_cast<Enum>(value);
}

void check_segments(const Plan& plan) {
  std::int64_t expected = 0;
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const Segment& segment = plan.segments[i];
    if (segment.index != static_cast<int>(i) || segment.core.begin != expected ||
        segment.core.empty() || !segment.input.contains(segment.core) || segment.input.begin < 0 ||
        segment.input.end > plan.timeline_frames) {
      throw Error(ErrorCode::kStorage, format("segment {} is out of place", i));
    }
    expected = segment.core.end;
  }
  if (expected != plan.timeline_frames) {
    throw Error(ErrorCode::kStorage, "the segments do not cover the film");
  }
}

}  // namespace

FrameRange Plan::held(const Segment& segment) const {
  const auto codec = identity.find("segment.codec");
  return codec != identity.end() && codec->second == "none" ? segment.core : segment.input;
}

std::string Plan::fingerprint() const {
  Sha256 hash;
  for (const auto& [name, value] : identity) hash.update(format("{}={}\n", name, value));
  for (const Segment& segment : segments) {
    hash.update(format("{} {} {} {}\n",
                       segment.core.begin,
                       segment.core.end,
                       segment.input.begin,
                       segment.input.end));
  }
  hash.update(format("{} {} {} {}\n", kPlanVersion, max_seq_len, overlap, timeline_frames));
  hash.update(format("{} {} {}\n", tile.width, tile.height, tile.overlap));
  return hash.finish();
}

std::string encode_plan(const Plan& plan) {
  h5::Writer file;
  file.attribute("format", std::string("vsr-dist plan"));
  file.attribute("version", std::int64_t{kPlanVersion});
  file.attribute("created", plan.created);
  file.attribute("host", plan.host);
  file.attribute("program_version", plan.program_version);
  file.attribute("fingerprint", plan.fingerprint());
  file.attribute("timeline_frames", plan.timeline_frames);
  file.attribute("timeline_rate_num", plan.timeline_rate.num());
  file.attribute("timeline_rate_den", plan.timeline_rate.den());
  file.attribute("max_seq_len_frames", std::int64_t{plan.max_seq_len});
  file.attribute("overlap_frames", std::int64_t{plan.overlap});
  file.attribute("tile_width", std::int64_t{plan.tile.width});
  file.attribute("tile_height", std::int64_t{plan.tile.height});
  file.attribute("tile_overlap", std::int64_t{plan.tile.overlap});
  file.attribute("width", std::int64_t{plan.picture.width});
  file.attribute("height", std::int64_t{plan.picture.height});
  file.attribute("colour_model", static_cast<std::int64_t>(plan.picture.model));
  file.attribute("subsampling", static_cast<std::int64_t>(plan.picture.subsampling));
  file.attribute("bit_depth", std::int64_t{plan.picture.bit_depth});
  file.attribute("matrix", static_cast<std::int64_t>(plan.colour.matrix));
  file.attribute("full_range", std::int64_t{plan.colour.full_range});
  file.attribute("siting", static_cast<std::int64_t>(plan.colour.siting));
  file.attribute("primaries", std::int64_t{plan.colour.primaries});
  file.attribute("transfer", std::int64_t{plan.colour.transfer});
  file.attribute("sample_aspect_num", plan.sample_aspect.num());
  file.attribute("sample_aspect_den", plan.sample_aspect.den());
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const auto& [name, value] : plan.identity) {
    names.push_back(name);
    values.push_back(value);
  }
  file.dataset("identity_names", names);
  file.dataset("identity_values", values);
  // Columns: core begin, core end, input begin, input end; timeline frames, half-open.
  std::vector<std::int64_t> table;
  for (const Segment& segment : plan.segments) {
    table.insert(table.end(),
                 {segment.core.begin, segment.core.end, segment.input.begin, segment.input.end});
  }
  file.dataset("segments", table, 4);
  file.dataset_bytes("timeline", plan.timeline);
  return file.finish();
}

Plan decode_plan(const std::string& bytes) {
  const h5::Reader file(bytes);
  if (file.text("format") != "vsr-dist plan") {
    throw Error(ErrorCode::kStorage, "not a plan of vsr-dist");
  }
  if (file.integer("version") != kPlanVersion) {
    throw Error(ErrorCode::kStorage,
                format("plan version {}, this program knows {}: finish the run with the program "
                       "that began it, or start over with --fresh",
                       file.integer("version"),
                       kPlanVersion));
  }
  Plan plan;
  plan.created = file.text("created");
  plan.host = file.text("host");
  plan.program_version = file.text("program_version");
  plan.timeline_frames = file.integer("timeline_frames");
  plan.timeline_rate = {file.integer("timeline_rate_num"), file.integer("timeline_rate_den")};
  plan.max_seq_len = static_cast<int>(file.integer("max_seq_len_frames"));
  plan.overlap = static_cast<int>(file.integer("overlap_frames"));
  plan.tile.width = static_cast<int>(file.integer("tile_width"));
  plan.tile.height = static_cast<int>(file.integer("tile_height"));
  plan.tile.overlap = static_cast<int>(file.integer("tile_overlap"));
  plan.picture.width = static_cast<int>(file.integer("width"));
  plan.picture.height = static_cast<int>(file.integer("height"));
  plan.picture.model = to_enum(file.integer("colour_model"), ColourModel::kGray);
  plan.picture.subsampling = to_enum(file.integer("subsampling"), ChromaSubsampling::k420);
  plan.picture.bit_depth = static_cast<int>(file.integer("bit_depth"));
  plan.colour.matrix = to_enum(file.integer("matrix"), Matrix::kFcc);
  plan.colour.full_range = file.integer("full_range") != 0;
  plan.colour.siting = to_enum(file.integer("siting"), ChromaSiting::kBottom);
  plan.colour.primaries = static_cast<int>(file.integer("primaries"));
  plan.colour.transfer = static_cast<int>(file.integer("transfer"));
  plan.sample_aspect = {file.integer("sample_aspect_num"), file.integer("sample_aspect_den")};
  const auto names = file.texts("identity_names");
  const auto values = file.texts("identity_values");
  if (names.size() != values.size()) throw Error(ErrorCode::kStorage, "identity is torn");
  for (std::size_t i = 0; i < names.size(); ++i) plan.identity[names[i]] = values[i];
  const auto table = file.integers("segments");
  if (table.size() % 4 != 0) throw Error(ErrorCode::kStorage, "segments are torn");
  for (std::size_t i = 0; i < table.size(); i += 4) {
    plan.segments.push_back(
        {static_cast<int>(i / 4), {table[i], table[i + 1]}, {table[i + 2], table[i + 3]}});
  }
  plan.timeline = file.bytes("timeline");
  check_segments(plan);
  if (plan.fingerprint() != file.text("fingerprint")) {
    throw Error(ErrorCode::kStorage, "the plan does not match its own fingerprint");
  }
  return plan;
}

std::vector<std::string> differences(const std::map<std::string, std::string>& was,
                                     const std::map<std::string, std::string>& is) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : was) {
    const auto now = is.find(name);
    if (now != is.end() && now->second != value) {
      lines.push_back(format("{} was '{}', is now '{}'", name, value, now->second));
    }
  }
  // Behind what was changed, since a key may count or not by the value of another one.
  for (const auto& [name, value] : was) {
    if (!is.contains(name)) lines.push_back(format("{} was '{}', does not count now", name, value));
  }
  for (const auto& [name, value] : is) {
    if (!was.contains(name)) lines.push_back(format("{} = '{}' counts now", name, value));
  }
  return lines;
}

}  // namespace vsr::store
