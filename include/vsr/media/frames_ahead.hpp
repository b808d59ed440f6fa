// Frames of a film read on a thread of its own, some ahead of whoever takes them.
#pragma once

#include "vsr/media/timeline.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace vsr::media {

// Threads: one taker. Keeps copies of a few pictures, however long the film is.
class FramesAhead {
 public:
  // Gives the frames number(0), number(1), ... number(count - 1), which ascend strictly. `threads`
  // as for FrameReader.
  FramesAhead(const Timeline& timeline,
              std::function<std::int64_t(std::int64_t)> number,
              std::int64_t count,
              int threads = 0);
  ~FramesAhead();
  FramesAhead(const FramesAhead&) = delete;
  FramesAhead& operator=(const FramesAhead&) = delete;

  // The next picture, valid until the next call; false after the last. Throws what FrameReader
  // does.
  bool read(PictureView& picture);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::media
