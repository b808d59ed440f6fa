// A small film for the pipeline's tests, and options that go with it.
#pragma once

#include "test_support.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace vsr::pipeline::test {

inline constexpr int kFilmWidth = 64;
inline constexpr int kFilmHeight = 48;

// A film of raw frames, each of one gray level of its own, losslessly stored.
class GrayFilm {
 public:
  explicit GrayFilm(int frames) {
    const auto raw = folder_.path() / "film.gray";
    std::ofstream file(raw, std::ios::binary);
    for (int i = 0; i < frames; ++i) {
      file << std::string(static_cast<std::size_t>(kFilmWidth * kFilmHeight), level(i));
    }
    file.close();
    const auto result = vsr::test::run_process(
        {"ffmpeg",  "-v",           "error", "-f",   "rawvideo", "-pix_fmt",     "gray",
         "-s",      "64x48",        "-r",    "25",   "-i",       raw.string(),   "-pix_fmt",
         "yuv420p", "-color_range", "tv",    "-c:v", "ffv1",     path().string()});
    if (result.status != 0) throw std::runtime_error(result.output);
    std::filesystem::remove(raw);
    timeline_ = media::plan_timeline(media::probe(path()), {}).timeline;
  }

  static char level(int frame) { return static_cast<char>(20 + frame * 7 % 200); }

  std::filesystem::path path() const { return folder_.path() / "film.mkv"; }

  const std::filesystem::path& folder() const { return folder_.path(); }

  const media::Timeline& timeline() const { return timeline_; }

 private:
  vsr::test::TemporaryFolder folder_;
  media::Timeline timeline_;
};

inline PipelineOptions small_options() {
  PipelineOptions options;
  options.codec = media::MezzanineCodec::kFfv1;
  options.max_seq_len = 16;
  options.overlap = 3;
  options.prefetch = 4;
  options.decode_threads = 1;
  options.encode_threads = 1;
  return options;
}

}  // namespace vsr::pipeline::test
