// Pictures of a real film to measure with.
#pragma once

#include "vsr/base/picture.hpp"

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace vsr::bench {

// The clip of the source tree, 21 frames of 320x180.
std::string shipped_clip();

// A picture in memory as the pipeline's pinned ring has it: planes one after another, aligned to a
// page.
struct KeptPicture {
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  std::unique_ptr<std::byte, Free> memory;
  MutablePictureView view;
};

// Up to `most` pictures of a film through an FFmpeg filter graph. Throws Error(kInput).
std::vector<KeptPicture> film_pictures(const std::string& film,
                                       const std::string& filters,
                                       std::size_t most);

// `frames` RGB pictures of width x height, 8 bits, the film's own there and back.
struct RgbClip {
  std::vector<KeptPicture> pictures;
  int frames = 0;

  PictureView picture(int frame) const;
};

RgbClip rgb_clip(const std::string& film, int width, int height, int frames);

// The same as the network takes it: [frames, 3, height, width] in 0..1.
std::vector<float> network_frames(const RgbClip& clip);

}  // namespace vsr::bench
