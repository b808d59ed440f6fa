// Pictures at another size, for measuring and looking at, on the host. Slow and plain beside what
// the network's pictures go through, and made apart from it, so that it shares none of its errors:
// of the rooms that convert colours it has the tables of numbers alone. Private to the room.
#pragma once

#include "vsr/base/picture.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace vsr::pipeline {

// How samples are made up between samples. kCubic: Keys' with a = -1/2 (Catmull-Rom).
enum class Enlarge { kLinear, kCubic };

// From which samples of a row (or column) each sample of another one is made: `taps` from `first`
// on, by weights that add up to 1.
struct Axis {
  int taps = 0;
  std::vector<int> first;
  std::vector<float> weights;  // `taps` of them a sample made

  int count() const { return static_cast<int>(first.size()); }
};

// Sample i of `length` covers [i, i + 1) and sample j made covers [begin + j step, + step): the
// average of what it covers where step > 1, else made up around its middle. Beyond its ends a row
// goes on as its last sample.
Axis make_axis(int length, double begin, double step, int count, Enlarge enlarge);

// A part of a picture in its pixels.
struct Region {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

Region whole(const PictureFormat& format);

// R'G'B' as the picture's matrix and range say, 0 black and 1 white; below and above where samples
// are.
struct RgbPicture {
  int width = 0;
  int height = 0;
  std::array<std::vector<float>, 3> planes;
};

// `region` at a size of width x height. Chroma is taken where its siting says.
RgbPicture resample(const PictureView& picture,
                    const ColourDescription& colour,
                    const Region& region,
                    int width,
                    int height,
                    Enlarge enlarge);

// Rows of luma (0 black, 1 white; Y' of RGB by the colour's matrix) of a picture at another size.
class LumaRows {
 public:
  // `picture` has to stay.
  LumaRows(const PictureView& picture,
           const ColourDescription& colour,
           int width,
           int height,
           Enlarge enlarge);

  void read(int y, std::vector<float>& row);

 private:
  PictureView picture_;
  ColourDescription colour_;
  Axis across_;
  Axis down_;
  std::vector<float> sums_;
  std::vector<float> plane_;
};

}  // namespace vsr::pipeline
