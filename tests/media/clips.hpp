// Clips for the tests, made by the ffmpeg program from the shipped clip of real frames: a window
// that wanders over the looped clip, so that no two frames are the same.
#pragma once

#include "test_support.hpp"
#include "vsr/media/timeline.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vsr::test {

struct Clip {
  int frames = 60;
  int width = 160;
  int height = 96;
  bool interlaced = false;  // two moments in each frame, top field first
  std::string filters;      // after the window, e.g. "format=yuv422p10"
};

// Whether the ffmpeg program is there; every test that makes clips skips where it is not.
bool have_ffmpeg();
#define VSR_NEED_FFMPEG() \
  if (!vsr::test::have_ffmpeg()) GTEST_SKIP() << "the ffmpeg program is not there"

// Throws std::runtime_error with ffmpeg's words when it fails.
void run_ffmpeg(const std::vector<std::string>& arguments);
// Encodes `clip` to `path` with these output options ("-c:v prores_ks ...", split at blanks).
std::filesystem::path make_clip(const std::filesystem::path& path,
                                const Clip& clip,
                                const std::string& output_options);
std::vector<std::string> split_words(const std::string& text);

std::string read_bytes(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, const std::string& bytes);
// A copy of an intra-only film in which the packets of exactly these pictures are zeros.
std::filesystem::path with_ruined_pictures(const std::filesystem::path& film,
                                           const std::vector<int>& ruined);

// SHA-256 of a picture's samples, planes one after another without padding.
std::string hash_of(const PictureView& picture);
// Of `count` frames of the timeline from `first` on (-1: to the end).
std::vector<std::string> read_hashes(const media::Timeline& timeline,
                                     std::int64_t first,
                                     std::int64_t count = -1,
                                     int threads = 0);
// What the ffmpeg program makes of a film, picture by picture, nothing repeated or dropped.
std::vector<std::string> ffmpeg_hashes(const std::filesystem::path& path,
                                       const std::string& filters);

}  // namespace vsr::test
