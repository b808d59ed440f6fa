// What a film file holds, as its headers and first pictures say. No pictures are kept.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace vsr::media {

enum class StreamKind { kVideo, kAudio, kSubtitle, kAttachment, kOther };
enum class FieldOrder { kUnknown, kProgressive, kTopFirst, kBottomFirst };

struct StreamInfo {
  int index = 0;  // in the file
  StreamKind kind = StreamKind::kOther;
  std::string codec;     // FFmpeg's short name: "mpeg2video", "ac3", "subrip"
  std::string language;  // empty: none
  std::string title;
  bool default_track = false;
  bool attached_picture = false;  // cover art: a "video" stream that is no film
  // Audio only.
  int sample_rate = 0;
  int channels = 0;
  std::string channel_layout;  // "5.1(side)"
};

struct VideoInfo {
  int stream = -1;
  std::string codec;
  PictureFormat format;
  ColourDescription colour;    // resolved: tags, else by size
  bool matrix_tagged = false;  // false: colour.matrix is a guess by size
  bool range_tagged = false;
  Rational sample_aspect{1, 1};
  Rational rate{25, 1};  // the container's idea of the frame rate
  FieldOrder field_order = FieldOrder::kUnknown;
};

struct ChapterInfo {
  double start_s = 0;
  double end_s = 0;
  std::string title;
};

struct SourceInfo {
  std::filesystem::path path;
  std::string container;  // FFmpeg's short name: "matroska,webm"
  double duration_s = 0;  // 0: unknown
  std::uint64_t file_bytes = 0;
  VideoInfo video;  // the first stream that is a film
  std::vector<StreamInfo> streams;
  std::vector<ChapterInfo> chapters;
};

// Throws Error(kInput): no such file, not a film, no video stream, an unsupported pixel format;
// Error(kStorage): a read fails.
// Image sequences: a path with a printf pattern ("frames/%08d.png").
SourceInfo probe(const std::filesystem::path& path);

// Identifies the content without reading all of it: size, and SHA-256 over the first and last
// MiB and a few in between. Throws Error(kInput), Error(kStorage).
std::string fingerprint(const std::filesystem::path& path);

// Versions of the FFmpeg libraries as linked, "libavcodec 59.37.100, ...", for --version.
std::string library_versions();

}  // namespace vsr::media
