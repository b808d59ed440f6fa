// What is asked: one struct a section of the job file, with the defaults beside the fields.
// Plain values. Order of precedence: command line over job file over preset over these defaults.
// docs/job-file.md lists every key; src/job/job_keys.cpp binds keys to fields in one table.
#pragma once

#include "vsr/base/backend.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/base/precision.hpp"
#include "vsr/base/rational.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vsr {

// "all", "none", "first", or a list of numbers counting the streams of that kind from 0.
struct StreamChoice {
  enum class Kind { kAll, kNone, kFirst, kList };
  Kind kind = Kind::kAll;
  std::vector<int> list;
  bool operator==(const StreamChoice&) const = default;
};

struct CropRect {
  int width = 0;
  int height = 0;
  int x = 0;
  int y = 0;
  bool operator==(const CropRect&) const = default;
};

struct InputOptions {
  std::string file;
  StreamChoice audio{StreamChoice::Kind::kAll, {}};
  StreamChoice subtitles{StreamChoice::Kind::kAll, {}};
  // A part of the film as a preview, in seconds of the source; end 0: to the end.
  double start_s = 0;
  double end_s = 0;
};

enum class Preset { kNone, kPalDvd };
enum class Deinterlace { kAuto, kOff, kBwdif };
enum class FieldParity { kAuto, kTop, kBottom };
enum class MezzanineMode { kAuto, kNever, kAlways };

struct PreprocessOptions {
  Preset preset = Preset::kNone;
  // The user's own libavfilter graph, in place of what the keys below make. May not be combined
  // with them.
  std::string filters;
  int width = 0;   // of the scaled picture before the crop; 0: as it is
  int height = 0;  // likewise
  std::optional<CropRect> crop;
  Deinterlace deinterlace = Deinterlace::kAuto;
  FieldParity parity = FieldParity::kAuto;
  std::optional<Matrix> matrix_in;   // unset: the stream's tag, else by size with a warning
  std::optional<Matrix> matrix_out;  // unset: as the input
  std::optional<Rational> fps;       // a constant rate for the timeline; unset: the stream's
  MezzanineMode mezzanine = MezzanineMode::kAuto;
};

struct ModelOptions {
  std::string checkpoint = "embedded";  // or a file name
  Precision precision = Precision::kFp16;
  Backend backend = Backend::kAuto;
};

enum class DeviceChoice { kAuto, kCpu, kCuda };
enum class DecodeChoice { kCpu, kNvdec };
// Whose memory keeps the features of a window's frames: the GPU's or the host's.
enum class FeatureMemory { kDevice, kHost };

// Parts that pictures are computed in where memory does not hold them whole.
struct TileChoice {
  enum class Kind { kAuto, kOff, kSize };
  Kind kind = Kind::kAuto;
  int width = 0;  // of the largest tile, in pixels that the network sees
  int height = 0;
  bool operator==(const TileChoice&) const = default;
};

struct StreamOptions {
  int max_seq_len = 0;  // frames in one forward pass; 0: auto, from free memory
  int overlap = 12;     // frames of context on each side of a segment or window
  TileChoice tile;
  int tile_overlap = 32;  // pixels that neighbouring tiles share
  int prefetch = 16;      // decoded frames kept ready
  FeatureMemory features = FeatureMemory::kDevice;
  DeviceChoice device = DeviceChoice::kAuto;
  DecodeChoice decode = DecodeChoice::kCpu;
};

// kNone: no mezzanines, segments are encoded for the film at once.
enum class SegmentCodec { kProres, kDnxhr, kFfv1, kPng, kNone };
// The network's own size, or that of the master (final.height).
enum class SegmentSize { kFull, kFinal };
enum class SegmentEncoder { kAuto, kCpu, kGpu };

struct SegmentOptions {
  int frames = 480;        // core length
  bool scene_cuts = true;  // ends move to a scene cut that is near
  SegmentCodec codec = SegmentCodec::kProres;
  SegmentSize size = SegmentSize::kFull;
  SegmentEncoder encoder = SegmentEncoder::kAuto;  // auto: the GPU where it can
  bool keep = true;                                // keep mezzanines after the final encode
};

enum class AudioVariant { kPitchOk, kPitchLow };

struct FinalOptions {
  int height = 1440;                              // 0: as the network gives it
  std::optional<Rational> fps = Rational(24, 1);  // unset ("source"): the timeline's rate
  std::string encoder = "libx265";
  std::string preset = "auto";  // this and the next: what suits the encoder (docs/final-encode.md)
  double crf = 16;
  std::string tune = "auto";    // empty: none
  std::string params = "auto";  // empty: none
  std::vector<AudioVariant> variants{AudioVariant::kPitchOk, AudioVariant::kPitchLow};
  std::string audio_codec = "ac3";
  std::int64_t audio_bitrate = 640'000;  // bits a second
};

// Who makes the final encode: all ranks in chunks, a segment each, or rank 0 in one piece.
enum class FinalEncode { kDistributed, kCentral };

// What the ranks have in common: the film and the run directory, or nothing but MPI. Then rank 0
// alone has both, reads for the others and takes what they make.
enum class Storage { kShared, kLocal };

struct ClusterOptions {
  FinalEncode final = FinalEncode::kDistributed;
  Storage storage = Storage::kShared;
  std::string scratch;  // storage local: folder in which the other ranks work; empty: in run.dir
  int encoders = -1;    // chunks that a rank encodes at once; -1: by its cores and memory
  int patience_s = 60;  // how long a rank or a job that gives no sign of life keeps its work
};

// What is measured of the pictures beside the work (docs/quality.md).
struct QualityChoice {
  bool measure = true;
  int every = 0;              // of so many frames one; 0: auto, all
  double warn_below_db = 22;  // back-projection
};

struct RunOptions {
  std::string dir;
  bool resume = true;
  int keep_free_mb = -1;  // of the disk, for others; -1: 1 GB, or a fiftieth of a small disk
};

struct StatusOptions {
  // Where the status page is: "auto" (127.0.0.1:8080, or another port where that is taken), "off",
  // or ADDRESS:PORT.
  std::string listen = "auto";
  std::string token_file;  // holds the word that is asked of every client; empty: none
};

struct Job {
  InputOptions input;
  PreprocessOptions preprocess;
  ModelOptions model;
  StreamOptions stream;
  SegmentOptions segment;
  FinalOptions final;
  ClusterOptions cluster;
  QualityChoice quality;
  RunOptions run;
  StatusOptions status;
};

std::string to_string(DeviceChoice device);
std::string to_string(SegmentCodec codec);
// "pitchOK", "pitchLOW", as they stand in file names.
std::string to_string(AudioVariant variant);

}  // namespace vsr
