// The plan: what this run will do, decided once by rank 0, kept in RUN/plan.h5, sent to every rank
// as the file's bytes. docs/run-directory.md tells the format.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"
#include "vsr/base/tiles.hpp"
#include "vsr/job/plan.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vsr::store {

inline constexpr int kPlanVersion = 2;

struct Plan {
  // What this plan was made of, by name: the job's keys that change pictures, "input" and "model"
  // (fingerprints). Two plans give the same pictures if and only if these are equal.
  std::map<std::string, std::string> identity;
  std::vector<Segment> segments;
  std::int64_t timeline_frames = 0;
  Rational timeline_rate{25, 1};
  int max_seq_len = 0;
  int overlap = 0;
  TileSize tile;
  // Of the mezzanines.
  PictureFormat picture;
  ColourDescription colour;
  Rational sample_aspect{1, 1};
  // The media room's own description of the timeline, opaque here.
  std::string timeline;
  // For people: when and where it was made.
  std::string created;
  std::string host;
  std::string program_version;

  // The frames that a segment's file holds: with the halo, but for segments that were encoded for
  // the film (segment.codec = none), which have no use for it there.
  FrameRange held(const Segment& segment) const;

  // SHA-256 over identity, segments and the rest that shapes pictures.
  std::string fingerprint() const;
};

// The bytes of an HDF5 file.
std::string encode_plan(const Plan& plan);
// Throws Error(kStorage) on anything that encode_plan did not write.
Plan decode_plan(const std::string& bytes);

// One line a difference: "model.precision was fp16, is now fp32"; empty when equal.
std::vector<std::string> differences(const std::map<std::string, std::string>& was,
                                     const std::map<std::string, std::string>& is);

}  // namespace vsr::store
