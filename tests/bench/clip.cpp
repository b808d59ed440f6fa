#include "clip.hpp"

#include "subjects.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace vsr::bench {

std::string shipped_clip() {
  return (test::source_dir() / "tests/data/reds_demo_000.mkv").string();
}

std::vector<KeptPicture> film_pictures(const std::string& film,
                                       const std::string& filters,
                                       std::size_t most) {
  constexpr std::size_t kPage = 4096;
  const media::Timeline timeline =
      media::plan_timeline(media::probe(film), {.filters = filters}).timeline;
  media::FrameReader reader(timeline, 0);
  std::vector<KeptPicture> pictures;
  PictureView picture;
  while (pictures.size() < most && reader.read(picture)) {
    const std::size_t bytes = (packed_bytes(picture.format) + kPage - 1) / kPage * kPage;
    KeptPicture& kept = pictures.emplace_back();
    kept.memory.reset(static_cast<std::byte*>(std::aligned_alloc(kPage, bytes)));
    kept.view = packed_view(picture.format, kept.memory.get());
    copy_picture(picture, kept.view);
  }
  if (pictures.empty()) throw Error(ErrorCode::kInput, format("{}: no pictures", film));
  return pictures;
}

PictureView RgbClip::picture(int frame) const {
  const int stored = static_cast<int>(pictures.size());
  const int turn = frame % std::max(1, 2 * stored - 2);
  return pictures[static_cast<std::size_t>(turn < stored ? turn : 2 * stored - 2 - turn)].view;
}

RgbClip rgb_clip(const std::string& film, int width, int height, int frames) {
  const std::string filters =
      format("scale={}:{}:flags=lanczos+accurate_rnd+full_chroma_int,format=gbrp", width, height);
  return {film_pictures(film, filters, static_cast<std::size_t>(frames)), frames};
}

std::vector<float> network_frames(const RgbClip& clip) {
  std::vector<float> values;
  for (int frame = 0; frame < clip.frames; ++frame) {
    const PictureView picture = clip.picture(frame);
    for (std::size_t plane = 0; plane < 3; ++plane) {
      const auto* samples = reinterpret_cast<const unsigned char*>(picture.planes[plane]);
      const auto count = static_cast<std::size_t>(picture.format.width) *
                         static_cast<std::size_t>(picture.format.height);
      std::transform(samples, samples + count, std::back_inserter(values), [](unsigned char value) {
        return static_cast<float>(value) / 255.0f;
      });
    }
  }
  return values;
}

void make_frames(Arguments& words) {
  const std::string path = words.text("FILE");
  const int width = words.number("WIDTH", 1024);
  const int height = words.number("HEIGHT", 432);
  const int frames = words.number("FRAMES", 14);
  const std::string film = words.text("FILM", shipped_clip());
  words.end();
  const RgbClip clip = rgb_clip(film, width, height, frames);
  std::ofstream file(path, std::ios::binary);
  std::vector<char> row(3 * static_cast<std::size_t>(width));
  for (int frame = 0; frame < frames; ++frame) {
    const PictureView picture = clip.picture(frame);
    for (int y = 0; y < height; ++y) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::size_t plane = i % 3;
        row[i] = static_cast<char>(picture.planes[plane][y * picture.pitch_bytes[plane] +
                                                         static_cast<std::ptrdiff_t>(i / 3)]);
      }
      file.write(row.data(), static_cast<std::streamsize>(row.size()));
    }
  }
  file.close();
  if (!file) throw Error(ErrorCode::kStorage, format("{}: cannot be written", path));
}

}  // namespace vsr::bench
