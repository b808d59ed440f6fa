#include "vsr/model/cost.hpp"

namespace vsr::model {

double network_gflop(const NetworkShape& shape, const PictureFormat& lr) {
  const double c = shape.mid_channels;
  const double n = shape.num_blocks;
  const auto conv3 = [](double in, double out) { return 9 * in * out; };
  const auto blocks = [&](double count) { return count * 2 * conv3(c, c); };
  // Multiply-adds by pixel of the size the features have (docs/network.md, sections 3 to 7).
  double features = conv3(3, c) + blocks(5);
  if (!shape.low_res_input) features = 4 * conv3(3, c) + conv3(c, c) + conv3(c, c) + blocks(5);
  // Six levels of SPyNet, a quarter of the pixels from each to the next; both directions.
  const double spynet =
      2 * 49.0 * (8 * 32 + 32 * 64 + 64 * 32 + 32 * 16 + 16 * 2) * (1 - 1.0 / 4096) / (1 - 0.25);
  const double align = conv3(3 * c + 4, c) + 2 * conv3(c, c) + conv3(c, 432) + conv3(2 * c, c);
  double branches = 0;
  for (int q = 0; q < 4; ++q) branches += align + conv3((2 + q) * c, c) + blocks(n);
  const double reconstruction = conv3(5 * c, c) + blocks(5);
  const double tail = conv3(c, 4 * c) + 4 * conv3(c, 256) + 16 * conv3(64, 64) + 16 * conv3(64, 3);
  const double pixels = static_cast<double>(lr.width) * lr.height / (shape.low_res_input ? 1 : 16);
  return 2e-9 * pixels * (features + spynet + branches + reconstruction + tail);
}

double network_parameters(const NetworkShape& shape) {
  const double c = shape.mid_channels;
  const auto conv3 = [](double in, double out) { return (9 * in + 1) * out; };
  const auto blocks = [&](double count) { return count * 2 * conv3(c, c); };
  double sum = 6 * 49.0 * (8 * 32 + 32 * 64 + 64 * 32 + 32 * 16 + 16 * 2);
  sum += conv3(3, c) + (shape.low_res_input ? 0 : 2 * conv3(c, c)) + blocks(5);
  for (int q = 0; q < 4; ++q) {
    sum += conv3(3 * c + 4, c) + 2 * conv3(c, c) + conv3(c, 432) + conv3(2 * c, c);
    sum += conv3((2 + q) * c, c) + blocks(shape.num_blocks);
  }
  return sum + conv3(5 * c, c) + blocks(5) + conv3(c, 4 * c) + conv3(c, 256) + conv3(64, 64) +
         conv3(64, 3);
}

}  // namespace vsr::model
