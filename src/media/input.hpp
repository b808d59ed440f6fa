// Opening a film: which files are let in, image sequences by pattern, the stream that is the film.
// Also for src/assemble, so that both rooms count the same streams.
#pragma once

#include "av.hpp"
#include "vsr/base/byte_source.hpp"

#include <cstdint>
#include <string>

namespace vsr::media {

// A picture larger than this is refused before memory for it is taken (8K film has 35 million).
constexpr std::int64_t kMostPixels = 1 << 26;

// How far into the file streams are looked for. Program and transport streams have no table of
// contents: subtitles may show up minutes in. Thorough finds the streams of quick, in the same
// order, and maybe more.
enum class Search { kQuick, kThorough };

// An open film. Its packets come from `format`; closing is by the owner's destructor.
struct Input {
  InputPtr format;
  std::string path;         // as given, for messages
  std::uint64_t bytes = 0;  // of the file; of all files of an image sequence
  bool image_sequence = false;
  std::int64_t first_image = 0;  // number in the first file's name
  std::int64_t images = 0;
};

// Throws Error(kInput): missing, a folder, empty, not a regular file, not a film's container;
// Error(kStorage): a read fails.
// `path`: a file, or a printf pattern of an image sequence ("frames/%08d.png"), which is read at
// 25 pictures a second. Reads local files only, whatever the file says; with `open` the bytes that
// it gives, and what they throw goes on from here and from read_packet().
Input open_input(const std::string& path,
                 Search search = Search::kQuick,
                 const OpenBytes& open = {});

// The next packet into `packet`, which must be empty; gives av_read_frame()'s result. Throws
// Error(kStorage) when a read of the file failed. Demuxers call that the end of the file, a short
// packet, or bad data, and they call bad data a failed read, so their word alone says neither.
int read_packet(const Input& input, AVPacket& packet);

// The first stream that is a film: video, no cover art, with a decoder and a picture size.
// Throws Error(kInput).
const AVStream& film_stream(const Input& input);

bool is_avi(const AVInputFormat& container);

// Whether a pattern names numbered pictures rather than a file that happens to have a '%'.
bool is_image_pattern(const std::string& path);
// The pattern's file for a number.
std::string image_name(const std::string& pattern, std::int64_t number);

}  // namespace vsr::media
