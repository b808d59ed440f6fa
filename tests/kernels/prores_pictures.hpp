// Pictures to encode, what FFmpeg makes of a packet, and FFmpeg's own packet of the same picture.
#pragma once

#include "prores_reference.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vsr::kernels::test {

// Frame `index` of the shipped clip enlarged, with noise of this standard deviation (of 1023).
HostPicture film_picture(int width, int height, int index, double noise);
HostPicture flat_picture(int width, int height, int luma, int chroma);
// Each sample anything from 0 to 1023 (`extremes`: only 0 or 1023).
HostPicture noise_picture(int width, int height, bool extremes, unsigned seed);
// Blocks that are black and white by turns, in luma and chroma: the largest steps between DCs.
HostPicture blocks_picture(int width, int height);

struct Decoded {
  HostPicture picture;
  std::string errors;  // what the decoder said or returned; empty: nothing
  int primaries = 0;
  int transfer = 0;
  int matrix = 0;
};

Decoded decode_prores(std::span<const std::uint8_t> packet, int width, int height);
std::vector<std::uint8_t> encode_prores_ks(const HostPicture& picture);

// Over all planes, in dB; 999 where they are equal. FFmpeg's decoder keeps to 4..1019, so that is
// what `original` is limited to.
double psnr(const HostPicture& original, const HostPicture& decoded);

}  // namespace vsr::kernels::test
