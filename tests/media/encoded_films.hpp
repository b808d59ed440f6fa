// Films made by libavcodec itself, for machines that have its libraries and no ffmpeg program: a
// window that wanders over the shipped clip of real frames, so that no two pictures are the same.
#pragma once

#include "vsr/base/picture.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace vsr::test {

struct EncodedFilm {
  const char* encoder = "mpeg2video";
  std::vector<std::pair<std::string, std::string>> options;  // of the encoder
  int bit_depth = 8;                                         // 4:2:0
  bool interlaced = false;  // two moments in each picture, top field first
  int frames = 60;
  int width = 256;  // at most the clip's, after it is scaled up `scale` times, less the way it goes
  int height = 144;
  int scale = 1;
};

// Whether this FFmpeg has that encoder.
bool have_encoder(const std::string& name);
// Encodes to `path`; its ending chooses the container.
void encode_film(const std::filesystem::path& path, const EncodedFilm& film);

}  // namespace vsr::test
