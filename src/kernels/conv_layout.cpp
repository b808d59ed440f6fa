#include "vsr/kernels/conv.hpp"

namespace vsr::kernels {

namespace {

constexpr int kChunk = 64;

int chunks_of(int channels) { return (padded_channels(channels) + kChunk - 1) / kChunk; }

}  // namespace

int ConvLayout::tile() const { return outputs <= 16 ? 16 : outputs <= 32 ? 32 : 64; }

int ConvLayout::tiles() const { return (outputs + tile() - 1) / tile(); }

int ConvLayout::chunks() const {
  int count = 0;
  for (const int channels : sources) count += chunks_of(channels);
  return count;
}

std::size_t ConvLayout::elements() const {
  return static_cast<std::size_t>(tiles()) * static_cast<std::size_t>(chunks()) *
         static_cast<std::size_t>(kernel * kernel * tile() * kChunk);
}

std::vector<float> pack_conv(const ConvLayout& layout, const std::vector<float>& weights) {
  std::vector<float> packed(layout.elements());
  const int taps = layout.kernel * layout.kernel;
  const int tile = layout.tile();
  int inputs = 0;
  for (const int channels : layout.sources) inputs += channels;
  for (int n = 0; n < layout.outputs; ++n) {
    int first_input = 0;
    int first_chunk = 0;
    for (const int channels : layout.sources) {
      for (int i = 0; i < channels; ++i) {
        const int chunk = first_chunk + i / kChunk;
        for (int tap = 0; tap < taps; ++tap) {
          const auto block =
              static_cast<std::size_t>((n / tile * layout.chunks() + chunk) * taps + tap);
          const auto from = static_cast<std::size_t>((n * inputs + first_input + i) * taps + tap);
          packed[(block * static_cast<std::size_t>(tile) + static_cast<std::size_t>(n % tile)) *
                     kChunk +
                 static_cast<std::size_t>(i % kChunk)] = weights[from];
        }
      }
      first_input += channels;
      first_chunk += chunks_of(channels);
    }
  }
  return packed;
}

std::vector<float> pack_bias(const ConvLayout& layout, const std::vector<float>& bias) {
  std::vector<float> packed(bias.begin(), bias.end());
  packed.resize(static_cast<std::size_t>(layout.tiles() * layout.tile()));
  return packed;
}

}  // namespace vsr::kernels
