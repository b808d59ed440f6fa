// How far pictures made in tiles are from the same made whole, and what of that is where tiles
// meet.
#pragma once

#include "vsr/base/tiles.hpp"

#include <optional>
#include <vector>

namespace vsr::bench {

// Planar R, G and B, one after another, in 0..1 but for what is cut off there.
using Picture = std::vector<float>;

// Of values in 0..1.
struct SquaredErrors {
  double sum = 0;
  double count = 0;

  void add(double error) {
    sum += error * error;
    ++count;
  }

  void add(const SquaredErrors& other) {
    sum += other.sum;
    count += other.count;
  }

  // Nothing where there is no error, or nothing to have one.
  std::optional<double> psnr_db() const;
};

struct SeamErrors {
  SquaredErrors all;
  SquaredErrors worst_frame;
  // Within 4 pixels of the network's size of the middle between two tiles.
  SquaredErrors seam;
  // How much the error changes from one side of that middle to the other: what an eye would see as
  // a line.
  SquaredErrors step;
};

// Over as many pictures, `scale` samples a pixel of the tiling. On as many threads.
SeamErrors seam_errors(const std::vector<Picture>& tiled,
                       const std::vector<Picture>& whole,
                       const Tiling& tiling,
                       int scale);

}  // namespace vsr::bench
