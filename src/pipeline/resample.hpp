// Pictures at another size and in colours, for measuring and looking at, on the host. Slow and
// plain beside what the network's pictures go through, and made apart from it, so that it shares
// none of its errors: of what converts colours it has the tables of numbers alone. Private to the
// room.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/kernels/picture_digest.hpp"
#include "vsr/kernels/resampling.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace vsr::pipeline {

using kernels::Enlarge;
using kernels::Region;
using kernels::whole;

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

// The same into memory that is there: `made` may be of any size before.
void resample(const PictureView& picture,
              const ColourDescription& colour,
              const Region& region,
              int width,
              int height,
              Enlarge enlarge,
              RgbPicture& made);

// The small picture of a digest: resample() of the whole picture, but for the digest's rounding.
void read_digest(const kernels::DigestShape& shape, const std::byte* digest, RgbPicture& made);

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
  kernels::PlaneAxes axes_;
  std::vector<float> sums_;
  std::vector<float> plane_;
};

}  // namespace vsr::pipeline
