#include "vsr/kernels/conv_picture.hpp"

namespace vsr::kernels {

// [32][64]: (tap, colour), then channels, as rows of 128 bytes under the tensor cores' swizzle
// (16-byte part p of row r is at part p ^ (r % 8)); the last five rows are zeros.
std::vector<float> pack_picture_conv(const std::vector<float>& weights) {
  constexpr int kRows = 32;
  constexpr int kChannels = kPictureConvChannels;
  std::vector<float> packed(std::size_t{kRows} * kChannels);
  for (int tap = 0; tap < 9; ++tap) {
    for (int colour = 0; colour < 3; ++colour) {
      const int row = 3 * tap + colour;
      for (int channel = 0; channel < kChannels; ++channel) {
        const int at = channel / 8 ^ row % 8;
        packed[static_cast<std::size_t>(row * kChannels + at * 8 + channel % 8)] =
            weights[static_cast<std::size_t>((colour * kChannels + channel) * 9 + tap)];
      }
    }
  }
  return packed;
}

}  // namespace vsr::kernels
