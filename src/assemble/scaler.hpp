// A filter graph that gives a picture of another size and format for each one it gets.
#pragma once

#include "media/av.hpp"
#include "vsr/base/picture.hpp"

#include <string>

namespace vsr::assemble {

// As zscale calls it.
const char* zscale_matrix(Matrix matrix);

// One picture in, one picture out, on the caller's thread; pts are kept.
class Scaler {
 public:
  // `graph` has one input and one output and ends in `to`.
  Scaler(std::string graph, AVPixelFormat to);
  // All pictures are of the first one's size, format and colour.
  media::FramePtr scale(media::FramePtr frame);

 private:
  void open(const AVFrame& first);

  std::string description_;
  AVPixelFormat to_;
  media::GraphPtr graph_;
  AVFilterContext* source_ = nullptr;
  AVFilterContext* sink_ = nullptr;
};

}  // namespace vsr::assemble
