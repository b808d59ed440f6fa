#include "vsr/store/ledger_file.hpp"

#include "h5.hpp"
#include "vsr/base/crc32.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/store/run_directory.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <string_view>

namespace vsr::store {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// --- Frames
// ----------------------------------------------------------------------------------------

struct FrameColumn {
  const char* name;
  const char* unit;
  const char* description;
  std::vector<float> FrameMeasures::*measure;
};

constexpr std::array<FrameColumn, 7> kFrameColumns = {{
    {"decode_s", "s", "time of the decoder", &FrameMeasures::decode_s},
    {"network_s",
     "s",
     "time of the network: its window's, shared evenly",
     &FrameMeasures::network_s},
    {"encode_s", "s", "time of the mezzanine's encoder", &FrameMeasures::encode_s},
    {"luma_mean",
     "1",
     "mean luma of the upscaled picture, 0 (black) to 1 (white)",
     &FrameMeasures::luma_mean},
    {"sharpness",
     "1/pixel",
     "root mean square of the upscaled luma's gradient",
     &FrameMeasures::sharpness},
    {"sharpness_gain",
     "1",
     "sharpness over that of the source enlarged by bicubic",
     &FrameMeasures::sharpness_gain},
    {"back_projection_db",
     "dB",
     "PSNR between the source and the upscaled picture made as small",
     &FrameMeasures::back_projection_db},
}};

// What all of these records have of one kind, on a film of so many frames.
std::vector<float> laid_out(const LedgerPieces& records,
                            std::vector<float> FrameMeasures::*measure,
                            std::int64_t frames) {
  std::vector<float> values(static_cast<std::size_t>(frames), static_cast<float>(kNone));
  for (const auto& record : records) {
    if (!record) continue;
    const std::vector<float>& own = record->measures.*measure;
    const FrameRange core = record->segment.core;
    if (own.size() != static_cast<std::size_t>(core.size()) || core.end > frames) continue;
    std::copy(own.begin(), own.end(), values.begin() + static_cast<std::ptrdiff_t>(core.begin));
  }
  return values;
}

void write_frames(h5::Writer& file, const RunLedger& run) {
  const auto column = [](const std::string& name, const char* unit, const char* description) {
    return h5::Column{"frames/" + name, unit, description, true};
  };
  std::vector<std::int64_t> segments(static_cast<std::size_t>(run.plan.timeline_frames), -1);
  for (const Segment& segment : run.plan.segments) {
    std::fill(segments.begin() + static_cast<std::ptrdiff_t>(segment.core.begin),
              segments.begin() + static_cast<std::ptrdiff_t>(segment.core.end),
              segment.index);
  }
  file.column(column("segment", "index", "segment that gives the frame to the film"), segments);
  for (const FrameColumn& of : kFrameColumns) {
    file.column(column(of.name, of.unit, of.description), by_frame(run, of.measure));
  }
  file.column(
      column("film_encode_s", "s", "time of the film's encoder: its chunk's, shared evenly"),
      film_encode_s_by_frame(run));
}

// --- Segments and chunks
// -----------------------------------------------------------------------------

// `names`: those that are always there.
std::vector<std::string> stages_of(const LedgerPieces& records, std::vector<std::string> names) {
  for (const auto& record : records) {
    if (!record) continue;
    for (const auto& [stage, seconds] : record->stage_s) {
      if (std::ranges::find(names, stage) == names.end()) names.push_back(stage);
    }
  }
  return names;
}

double stage_s(const Record& record, const std::string& stage) {
  for (const auto& [name, seconds] : record.stage_s) {
    if (name == stage) return seconds;
  }
  return kNone;
}

// A row for each segment of the plan, whether or not there is a record.
void write_pieces(h5::Writer& file,
                  const std::string& group,
                  const std::string& what,
                  const std::vector<std::string>& usual_stages,
                  const Plan& plan,
                  const LedgerPieces& records) {
  const auto column = [&](const char* name, const char* unit, const std::string& description) {
    return h5::Column{group + "/" + name, unit, description};
  };
  const auto integers = [&](const auto& value, std::int64_t none = -1) {
    std::vector<std::int64_t> values;
    for (const auto& record : records) {
      values.push_back(record ? static_cast<std::int64_t>(value(*record)) : none);
    }
    return values;
  };
  const auto texts = [&](std::string Record::*member) {
    std::vector<std::string> values;
    for (const auto& record : records) values.push_back(record ? (*record).*member : "");
    return values;
  };
  std::vector<std::int64_t> index;
  std::vector<std::int64_t> begin;
  std::vector<std::int64_t> end;
  std::vector<double> wall_s;
  for (const Segment& segment : plan.segments) {
    index.push_back(segment.index);
    begin.push_back(segment.core.begin);
    end.push_back(segment.core.end);
  }
  for (const auto& record : records) wall_s.push_back(record ? record->wall_s : kNone);
  file.column(column("index", "index", "of the segment in the plan"), index);
  file.column(column("begin", "frame", "first frame of the core"), begin);
  file.column(column("end", "frame", "first frame behind the core"), end);
  file.column(column("committed", "0 or 1", "whether its record is there; else -1 and NaN follow"),
              integers([](const Record&) { return 1; }, 0));
  file.column(column("rank", "rank", "that made it"),
              integers([](const Record& r) { return r.rank; }));
  file.column(column("host", "name", "that made it"), texts(&Record::host));
  file.column(column("device", "name", "GPU, or cpu"), texts(&Record::device));
  file.column(column("attempt", "count", "from 1; those before failed"),
              integers([](const Record& r) { return r.attempt; }));
  file.column(column("started", "UTC, ISO 8601", "begin of the work"), texts(&Record::started));
  file.column(column("wall_s", "s", "from begin to commit"), wall_s);
  file.column(column("frames", "count", "pictures in its file"),
              integers([](const Record& r) { return r.frames; }));
  file.column(column("bytes", "byte", "size of its " + what),
              integers([](const Record& r) { return r.bytes; }));
  file.column(column("file", "name", "in " + group + "/"), texts(&Record::file));
  file.column(column("content_crc32", "CRC-32", "of the CRC-32s of all packets, little-endian"),
              integers([](const LedgerPiece& r) { return r.content_crc32; }));
  const std::vector<std::string> stages = stages_of(records, usual_stages);
  std::vector<double> busy_s;
  for (const auto& record : records) {
    for (const std::string& stage : stages)
      busy_s.push_back(record ? stage_s(*record, stage) : kNone);
  }
  file.column(column("stages", "name", "of the columns of busy_s"), stages);
  h5::Column busy = column("busy_s", "s", "time at which each stage was at work, not waiting");
  busy.width = stages.size();
  file.column(busy, busy_s);
}

void write_record_events(h5::Writer& file, const RunLedger& run) {
  std::vector<std::int64_t> segments;
  std::vector<std::string> pieces;
  std::vector<std::string> texts;
  const auto add = [&](const LedgerPieces& records, const char* piece) {
    for (const auto& record : records) {
      if (!record) continue;
      for (const std::string& text : record->events) {
        segments.push_back(record->segment.index);
        pieces.emplace_back(piece);
        texts.push_back(text);
      }
    }
  };
  add(run.segments, "segment");
  add(run.chunks, "chunk");
  file.column({"events/piece", "segment or chunk", "whose record tells it"}, pieces);
  file.column({"events/segment", "index", "of the piece"}, segments);
  file.column({"events/text", "text", "what went otherwise than planned"}, texts);
}

void write_links(h5::Writer& file, const RunLedger& run) {
  file.attribute_of("records", "description", std::string("links to the segments' records"));
  file.attribute_of("chunk_records", "description", std::string("links to the chunks' records"));
  const auto add = [&](const LedgerPieces& records, const char* group, const char* folder) {
    for (const auto& record : records) {
      if (!record) continue;
      const std::string name = segment_name(record->segment.index);
      file.link(format("{}/{}", group, name), format("{}/{}.h5", folder, name));
    }
  };
  add(run.segments, "records", "segments");
  add(run.chunks, "chunk_records", "chunks");
}

// --- What the run is
// ---------------------------------------------------------------------------------

void write_plan(h5::Writer& file, const Plan& plan) {
  const auto put = [&](const char* name, const auto& value) {
    file.attribute_of("plan", name, value);
  };
  put("fingerprint", plan.fingerprint());
  put("created", plan.created);
  put("host", plan.host);
  put("program_version", plan.program_version);
  put("timeline_frames", plan.timeline_frames);
  put("timeline_rate_num", plan.timeline_rate.num());
  put("timeline_rate_den", plan.timeline_rate.den());
  put("segments", static_cast<std::int64_t>(plan.segments.size()));
  put("max_seq_len_frames", std::int64_t{plan.max_seq_len});
  put("overlap_frames", std::int64_t{plan.overlap});
  put("tile_width", std::int64_t{plan.tile.width});
  put("tile_height", std::int64_t{plan.tile.height});
  put("tile_overlap", std::int64_t{plan.tile.overlap});
  put("width", std::int64_t{plan.picture.width});
  put("height", std::int64_t{plan.picture.height});
  put("bit_depth", std::int64_t{plan.picture.bit_depth});
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const auto& [name, value] : plan.identity) {
    names.push_back(name);
    values.push_back(value);
  }
  file.column({"plan/identity_name", "name", "what the pictures depend on"}, names);
  file.column({"plan/identity_value", "text", "its value"}, values);
}

void write_job(h5::Writer& file, const std::map<std::string, std::string>& job) {
  std::vector<std::string> keys;
  std::vector<std::string> values;
  for (const auto& [key, value] : job) {
    keys.push_back(key);
    values.push_back(value);
  }
  file.column({"job/key", "name", "section.key, every one there is"}, keys);
  file.column({"job/value", "text", "as resolved; *** for what is secret"}, values);
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(between)) + word;
  return text;
}

void write_starts(h5::Writer& file, const RunLedger& run) {
  const auto texts = [&](const char* name, const char* unit, const char* what, const auto& value) {
    std::vector<std::string> values;
    for (const auto& [id, start] : run.starts) values.push_back(value(id, start));
    file.column({std::string("starts/") + name, unit, what}, values);
  };
  const auto integers =
      [&](const char* name, const char* unit, const char* what, const auto& value) {
        std::vector<std::int64_t> values;
        for (const auto& [id, start] : run.starts)
          values.push_back(static_cast<std::int64_t>(value(start)));
        file.column({std::string("starts/") + name, unit, what}, values);
      };
  using Id = const std::string&;
  using Start = const StartFile&;
  texts("name", "name", "of its file in starts/", [](Id id, Start) { return id; });
  texts("command", "text", "command line of rank 0, a word a line", [](Id, Start s) {
    return joined(s.command, "\n");
  });
  texts("launcher", "text", "mpirun's command line, a word a line", [](Id, Start s) {
    return joined(s.launcher, "\n");
  });
  texts("directory", "path", "current one of rank 0", [](Id, Start s) { return s.directory; });
  texts("program_version", "text", "of vsr-dist", [](Id, Start s) { return s.program_version; });
  texts("versions", "text", "of the libraries, a line each", [](Id, Start s) {
    return joined(s.versions, "\n");
  });
  texts("host", "name", "of rank 0", [](Id, Start s) { return s.host; });
  integers("pid", "number", "process of rank 0", [](Start s) { return s.pid; });
  texts("begun", "UTC, ISO 8601", "begin", [](Id, Start s) { return s.begun; });
  texts("seen", "UTC, ISO 8601", "when it was last known to be at work", [](Id, Start s) {
    return s.seen;
  });
  texts("ended", "UTC, ISO 8601", "end; empty: at work still, or killed", [](Id, Start s) {
    return s.ended;
  });
  integers(
      "exit_status", "number", "of rank 0; -1: none yet", [](Start s) { return s.exit_status; });
  texts("message", "text", "why it failed", [](Id, Start s) { return s.message; });
  integers("ranks", "count", "that it had", [](Start s) { return s.ranks.size(); });

  std::vector<std::int64_t> of, rank, cpus, memory, encodes_only;
  std::vector<std::string> host, gpu;
  std::vector<std::int64_t> event_of, event_rank;
  std::vector<std::string> time, level, text;
  for (std::size_t i = 0; i < run.starts.size(); ++i) {
    for (const StartRank& r : run.starts[i].second.ranks) {
      of.push_back(static_cast<std::int64_t>(i));
      rank.push_back(r.rank);
      host.push_back(r.host);
      gpu.push_back(r.gpu);
      cpus.push_back(r.cpus);
      memory.push_back(r.memory_bytes);
      encodes_only.push_back(r.encodes_only ? 1 : 0);
    }
    for (const StartEvent& e : run.starts[i].second.events) {
      event_of.push_back(static_cast<std::int64_t>(i));
      event_rank.push_back(e.rank);
      time.push_back(e.time);
      level.push_back(e.level);
      text.push_back(e.text);
    }
  }
  file.column({"ranks/start", "index", "row of starts"}, of);
  file.column({"ranks/rank", "rank", "of that start"}, rank);
  file.column({"ranks/host", "name", "that it ran on"}, host);
  file.column({"ranks/gpu", "name", "its GPU; empty: none"}, gpu);
  file.column({"ranks/cpus", "count", "processors that were its own"}, cpus);
  file.column({"ranks/memory", "byte", "its part of the host's memory"}, memory);
  file.column({"ranks/encodes_only", "0 or 1", "by --role=encode"}, encodes_only);
  file.column({"notices/start", "index", "row of starts"}, event_of);
  file.column({"notices/time", "UTC, ISO 8601", "when it was said"}, time);
  file.column({"notices/level", "warning or error", "how bad it is"}, level);
  file.column({"notices/rank", "rank", "that said it"}, event_rank);
  file.column({"notices/text", "text", "room: what"}, text);
}

void write_seams(h5::Writer& file, const std::vector<LedgerSeam>& seams) {
  std::vector<std::int64_t> segment, frame, named;
  std::vector<double> likeness, step, usual;
  for (const LedgerSeam& seam : seams) {
    segment.push_back(seam.segment);
    frame.push_back(seam.frame);
    likeness.push_back(seam.likeness_db);
    step.push_back(seam.step);
    usual.push_back(seam.usual_step);
    named.push_back(seam.may_be_seen ? 1 : 0);
  }
  file.column({"seams/segment", "index", "that begins there"}, segment);
  file.column({"seams/frame", "frame", "its first one that is shown"}, frame);
  file.column({"seams/likeness_db",
               "dB",
               "PSNR between what both segments made of the frames beside it; NaN: no overlap"},
              likeness);
  file.column({"seams/step", "1/255 of full scale", "RMS of what changes across it"}, step);
  file.column({"seams/usual_step", "1/255 of full scale", "the same within one segment"}, usual);
  file.column({"seams/may_be_seen", "0 or 1", "whether the log named it"}, named);
}

// --- Back again
// --------------------------------------------------------------------------------------

LedgerPieces read_pieces(const h5::Reader& file, const std::string& group, const Plan& plan) {
  const auto integers = [&](const char* name) { return file.integers(group + "/" + name); };
  const auto texts = [&](const char* name) { return file.texts(group + "/" + name); };
  const auto committed = integers("committed");
  const auto content = integers("content_crc32");
  const auto rank = integers("rank");
  const auto attempt = integers("attempt");
  const auto frames = integers("frames");
  const auto bytes = integers("bytes");
  const auto host = texts("host");
  const auto device = texts("device");
  const auto started = texts("started");
  const auto names = texts("file");
  const auto wall_s = file.reals(group + "/wall_s");
  const auto stages = texts("stages");
  const auto busy_s = file.reals(group + "/busy_s");
  const std::size_t count = plan.segments.size();
  for (const std::size_t size : {committed.size(),
                                 content.size(),
                                 rank.size(),
                                 attempt.size(),
                                 frames.size(),
                                 bytes.size(),
                                 host.size(),
                                 device.size(),
                                 started.size(),
                                 names.size(),
                                 wall_s.size()}) {
    if (size != count) throw Error(ErrorCode::kStorage, format("{} is torn", group));
  }
  if (!stages.empty() && busy_s.size() != count * stages.size()) {
    throw Error(ErrorCode::kStorage, format("{}/busy_s is torn", group));
  }
  LedgerPieces records(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (committed[i] == 0) continue;
    LedgerPiece record;
    record.segment = plan.segments[i];
    record.content_crc32 = static_cast<std::uint32_t>(content[i]);
    record.file = names[i];
    record.frames = frames[i];
    record.bytes = static_cast<std::uint64_t>(bytes[i]);
    record.host = host[i];
    record.device = device[i];
    record.rank = static_cast<int>(rank[i]);
    record.attempt = static_cast<int>(attempt[i]);
    record.started = started[i];
    record.wall_s = wall_s[i];
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const double seconds = busy_s[i * stages.size() + s];
      if (!std::isnan(seconds)) record.stage_s.emplace_back(stages[s], seconds);
    }
    records[i] = std::move(record);
  }
  return records;
}

// Empty in a file of before it was kept.
std::string chunk_fingerprint(const h5::Reader& file) {
  try {
    return file.text_of("plan", "chunk_fingerprint");
  } catch (const Error&) {
    return "";
  }
}

void read_measure(const h5::Reader& file,
                  const std::string& name,
                  std::vector<float> FrameMeasures::*measure,
                  LedgerPieces& records) {
  const std::vector<double> values = file.reals("frames/" + name);
  for (auto& record : records) {
    if (!record || record->segment.core.end > static_cast<std::int64_t>(values.size())) continue;
    const auto at = [&](std::int64_t frame) {
      return values.begin() + static_cast<std::ptrdiff_t>(frame);
    };
    const auto begin = at(record->segment.core.begin);
    const auto end = at(record->segment.core.end);
    if (std::all_of(begin, end, [](double value) { return std::isnan(value); })) continue;
    std::transform(begin, end, std::back_inserter(record->measures.*measure), [](double value) {
      return static_cast<float>(value);
    });
  }
}

void read_record_events(const h5::Reader& file, RunLedger& run) {
  const auto pieces = file.texts("events/piece");
  const auto segments = file.integers("events/segment");
  const auto texts = file.texts("events/text");
  for (std::size_t i = 0; i < pieces.size() && i < segments.size() && i < texts.size(); ++i) {
    LedgerPieces& records = pieces[i] == "chunk" ? run.chunks : run.segments;
    const auto index = static_cast<std::size_t>(segments[i]);
    if (index < records.size() && records[index]) records[index]->events.push_back(texts[i]);
  }
}

void read_seams(const h5::Reader& file, std::vector<LedgerSeam>& seams) {
  const auto segment = file.integers("seams/segment");
  const auto frame = file.integers("seams/frame");
  const auto named = file.integers("seams/may_be_seen");
  const auto likeness = file.reals("seams/likeness_db");
  const auto step = file.reals("seams/step");
  const auto usual = file.reals("seams/usual_step");
  for (const std::size_t size :
       {frame.size(), named.size(), likeness.size(), step.size(), usual.size()}) {
    if (size != segment.size()) throw Error(ErrorCode::kStorage, "seams are torn");
  }
  for (std::size_t i = 0; i < segment.size(); ++i) {
    seams.push_back(
        {static_cast<int>(segment[i]), frame[i], likeness[i], step[i], usual[i], named[i] != 0});
  }
}

}  // namespace

std::vector<float> by_frame(const RunLedger& run, std::vector<float> FrameMeasures::*measure) {
  return laid_out(run.segments, measure, run.plan.timeline_frames);
}

std::vector<float> film_encode_s_by_frame(const RunLedger& run) {
  std::vector<float> values(static_cast<std::size_t>(run.plan.timeline_frames),
                            static_cast<float>(kNone));
  for (const auto& chunk : run.chunks) {
    if (!chunk) continue;
    const FrameRange core = chunk->segment.core;
    std::fill(values.begin() + static_cast<std::ptrdiff_t>(core.begin),
              values.begin() + static_cast<std::ptrdiff_t>(core.end),
              static_cast<float>(stage_s(*chunk, "encode") / static_cast<double>(core.size())));
  }
  return values;
}

LedgerPiece ledger_piece(Record record) {
  LedgerPiece piece{std::move(record)};
  std::string bytes;
  for (const std::uint32_t crc : piece.checksums) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(crc >> shift & 0xff);
  }
  piece.content_crc32 = crc32(bytes);
  piece.checksums = {};
  piece.previews = {};
  piece.seam_luma = {};
  return piece;
}

std::string encode_ledger(const RunLedger& run) {
  h5::Writer file;
  file.attribute("format", std::string("vsr-dist run"));
  file.attribute("version", std::int64_t{kLedgerVersion});
  file.attribute("written", run.written);
  file.attribute("in_chunks", std::int64_t{run.in_chunks});
  write_plan(file, run.plan);
  file.attribute_of("plan", "chunk_fingerprint", run.chunk_fingerprint);
  write_job(file, run.job);
  write_starts(file, run);
  write_pieces(
      file, "segments", "mezzanine", {"decode", "network", "encode"}, run.plan, run.segments);
  const LedgerPieces none(run.plan.segments.size());
  write_pieces(file, "chunks", "chunk", {"encode"}, run.plan, run.in_chunks ? run.chunks : none);
  write_frames(file, run);
  write_seams(file, run.seams);
  write_record_events(file, run);
  write_links(file, run);
  return file.finish();
}

RunLedger decode_ledger(const std::string& bytes, const Plan& plan) {
  const h5::Reader file(bytes);
  if (file.text("format") != "vsr-dist run" || file.integer("version") != kLedgerVersion) {
    throw Error(ErrorCode::kStorage, "not a ledger of this version of vsr-dist");
  }
  if (file.text_of("plan", "fingerprint") != plan.fingerprint()) {
    throw Error(ErrorCode::kStorage, "a ledger of another plan");
  }
  RunLedger run;
  run.plan = plan;
  run.written = file.text("written");
  run.in_chunks = file.integer("in_chunks") != 0;
  run.segments = read_pieces(file, "segments", plan);
  for (const FrameColumn& of : kFrameColumns) read_measure(file, of.name, of.measure, run.segments);
  if (run.in_chunks) {
    run.chunks = read_pieces(file, "chunks", plan);
    run.chunk_fingerprint = chunk_fingerprint(file);
  }
  read_record_events(file, run);
  read_seams(file, run.seams);
  return run;
}

}  // namespace vsr::store
