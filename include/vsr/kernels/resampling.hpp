// Pictures at another size for measuring and looking at, on the host: from which samples each
// sample is made, and rows made so. Made apart from the scaling that the network's pictures go
// through (lanczos.hpp), of which it shares no error.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/kernels/axis_table.hpp"

#include <vector>

namespace vsr::kernels {

// How samples are made up between samples. kCubic: Keys' with a = -1/2 (Catmull-Rom).
enum class Enlarge { kLinear, kCubic };

// Sample i of `length` covers [i, i + 1) and sample j of `count` covers [begin + j step, + step):
// the average of what it covers where step > 1, else made up around its middle. Weights add up to
// 1. Beyond its ends a row goes on as its last sample.
AxisTable make_axis(int length, double begin, double step, int count, Enlarge enlarge);

// A part of a picture in its pixels.
struct Region {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

Region whole(const PictureFormat& format);

struct PlaneAxes {
  AxisTable across;
  AxisTable down;
};

// Of a plane whose picture's `region` becomes width x height; chroma is taken where `siting` says.
PlaneAxes plane_axes(const PictureFormat& format,
                     ChromaSiting siting,
                     int plane,
                     const Region& region,
                     int width,
                     int height,
                     Enlarge enlarge);

bool is_chroma(const PictureFormat& format, int plane);

// Row `y` of those that are made of a plane, in the plane's own units. `sums`: memory to work in.
void resample_row(const PictureView& picture,
                  int plane,
                  const AxisTable& across,
                  const AxisTable& down,
                  int y,
                  std::vector<float>& sums,
                  float* row);

}  // namespace vsr::kernels
