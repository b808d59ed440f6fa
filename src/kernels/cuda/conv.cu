#include "cuda/eight.cuh"
#include "cuda/enlarged.cuh"
#include "cuda/mma.cuh"
#include "cuda/start_kernel.cuh"
#include "vsr/kernels/conv.hpp"

namespace vsr::kernels {

// Note [Convolution]
// An implicit matrix product: a block makes a tile of 64 x kRows pixels by kOut outputs. For each
// up to 64 channels of a source it brings the tile's pixels, with a halo, to shared memory once;
// every tap of the kernel reads them there at its own shift, while the taps' weights stream through
// a ring behind them. A pixel's 64 channels are 128 bytes; their eight parts of 16 bytes change
// places by the pixel's number, so that the eight rows that a matrix load takes lie in different
// banks. Warp w has pixels 16 w to 16 w + 15 of each row. The sums go through shared memory once
// more at the end, so that bias, activation and residuals work on 8 channels at a time and stores
// are whole.

namespace {

constexpr int kTileWidth = 64;
constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr int kChunkChannels = 64;
constexpr int kPixelBytes = kChunkChannels * 2;
constexpr int kParts = kPixelBytes / 16;
constexpr int kStages = 3;

template <int kKernel, int kOut, int kRows>
struct Tile {
  static constexpr int kTaps = kKernel * kKernel;
  static constexpr int kHalo = kKernel / 2;
  static constexpr int kInWidth = kTileWidth + kKernel - 1;
  static constexpr int kInHeight = kRows + kKernel - 1;
  static constexpr int kPixels = kInWidth * kInHeight;
  static constexpr int kPixelsBytes = (kPixels * kPixelBytes + 1023) / 1024 * 1024;
  static constexpr int kWeightBytes = kOut * kPixelBytes;
  static constexpr int kSharedBytes = kPixelsBytes + kStages * kWeightBytes;
  static constexpr int kSumStride = kOut + 4;
  static_assert(kWarps * 16 * kSumStride * 4 <= kPixelsBytes);
};

// Where part `part` of row `row` (a pixel, or an output's weights) lies.
__device__ inline unsigned char* part_of(unsigned char* rows, int row, int part) {
  return rows + row * kPixelBytes + ((part ^ (row & 7)) << 4);
}

__device__ inline float activate(float value, ConvActivation activation) {
  if (activation == ConvActivation::kRelu) return fmaxf(value, 0.0f);
  if (activation == ConvActivation::kLeakyRelu) return value > 0.0f ? value : 0.1f * value;
  return value;
}

template <typename T>
__device__ void add_eight(float (&values)[8], const void* map, std::int64_t at) {
  const auto other = load_eight<T>(map, at);
  for (int i = 0; i < 8; ++i) values[i] += Element<T>::widen(other.values[i]);
}

// Outputs n .. n + 7 of a pixel, bias added.
template <typename T, ConvEnding kEnding>
__device__ void finish(const ConvCall& call, int image, int y, int x, int n, float (&values)[8]) {
  for (float& value : values) value = activate(value, call.activation);
  const std::int64_t pixel = static_cast<std::int64_t>(y) * call.width + x;
  if constexpr (kEnding == ConvEnding::kMap) {
    if (n >= call.out_channels) return;
    const std::int64_t at = image * call.out_image_stride + pixel * call.out_channels + n;
    for (const void* residual : call.residuals) {
      if (residual != nullptr) add_eight<T>(values, residual, at);
    }
    store_eight<T>(call.out, at, narrow_eight<T>(values, call.saturate));
  } else if constexpr (kEnding == ConvEnding::kShuffle) {
    const int each = call.outputs / 4;
    const int place = n / each;
    if (place > 3) return;
    const std::int64_t to =
        (2 * static_cast<std::int64_t>(y) + place / 2) * 2 * call.width + 2 * x + place % 2;
    store_eight<T>(call.out,
                   image * call.out_image_stride + to * call.out_channels + n % each,
                   narrow_eight<T>(values, call.saturate));
  } else if constexpr (kEnding == ConvEnding::kFlow) {
    if (n > 0) return;
    const std::int64_t at =
        (static_cast<std::int64_t>(image) * call.height * call.width + pixel) * 2;
    auto* out = static_cast<float*>(call.out);
    out[at] = call.base[at] + values[0];
    out[at + 1] = call.base[at + 1] + values[1];
  } else {
    if (n > 0) return;
    const std::int64_t plane = static_cast<std::int64_t>(call.height) * call.width;
    const int base_height = call.height / call.scale;
    const int base_width = call.width / call.scale;
    const float step = 1.0f / static_cast<float>(call.scale);
    for (int i = 0; i < 3; ++i) {
      const float* base = call.base + static_cast<std::int64_t>(i) * base_height * base_width;
      static_cast<float*>(call.out)[i * plane + pixel] =
          values[i] + enlarged(base, base_height, base_width, step, y, x);
    }
  }
}

// Tiles of outputs, of which a launch has so many for each tile of pixels.
template <int kOut>
__host__ __device__ constexpr int output_tiles(int outputs) {
  return (outputs + kOut - 1) / kOut;
}

// Grid: (tiles of pixels x tiles of outputs, which follow each other, 1, images): large pictures
// have more tiles than a grid can be high.
template <typename T, int kKernel, int kOut, int kRows, ConvEnding kEnding>
__global__ void __launch_bounds__(kThreads, 2) conv_kernel(const ConvCall call) {
  using Shape = Tile<kKernel, kOut, kRows>;
  follow_previous_kernel();
  unsigned char* pixels = shared_memory();
  unsigned char* weights = pixels + Shape::kPixelsBytes;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int tiles_x = (call.width + kTileWidth - 1) / kTileWidth;
  const int tiles_n = output_tiles<kOut>(call.outputs);
  const int tile = static_cast<int>(blockIdx.x) / tiles_n;
  const int tile_n = static_cast<int>(blockIdx.x) % tiles_n;
  const int first_x = tile % tiles_x * kTileWidth;
  const int first_y = tile / tiles_x * kRows;
  const int first_n = tile_n * kOut;
  const int image = static_cast<int>(blockIdx.z);

  int chunks = 0;
  for (int s = 0; s < call.source_count; ++s)
    chunks += (call.sources[s].channels + kChunkChannels - 1) / kChunkChannels;
  const T* next_weights = static_cast<const T*>(call.weights) + static_cast<std::int64_t>(tile_n) *
                                                                    chunks * Shape::kTaps * kOut *
                                                                    kChunkChannels;

  float sums[kRows][kOut / 8][4] = {};
  for (int s = 0; s < call.source_count; ++s) {
    const ConvSource& source = call.sources[s];
    if (source.map == nullptr) {
      next_weights += (source.channels + kChunkChannels - 1) / kChunkChannels * Shape::kTaps *
                      kOut * kChunkChannels;
      continue;
    }
    for (int first = 0; first < source.channels; first += kChunkChannels) {
      const int here =
          source.channels - first < kChunkChannels ? source.channels - first : kChunkChannels;
      const int parts = here / 8;
      const T* map = static_cast<const T*>(source.map) + image * source.image_stride + first;

      const auto bring_weights = [&](int tap) {
        if (tap < Shape::kTaps) {
          const T* from = next_weights + tap * kOut * kChunkChannels;
          unsigned char* to = weights + tap % kStages * Shape::kWeightBytes;
          for (int i = thread; i < kOut * kParts; i += kThreads) {
            const int n = i / kParts;
            const int part = i % kParts;
            if (part < parts)
              copy_16_async(part_of(to, n, part), from + n * kChunkChannels + part * 8, true);
          }
        }
        commit_copies();  // an empty group keeps the count
      };

      __syncthreads();  // the last chunk's pixels and weights have been read
      for (int i = thread; i < Shape::kPixels * kParts; i += kThreads) {
        const int pixel = i / kParts;
        const int part = i % kParts;
        const int y = first_y - Shape::kHalo + pixel / Shape::kInWidth;
        const int x = first_x - Shape::kHalo + pixel % Shape::kInWidth;
        const bool inside = y >= 0 && y < call.height && x >= 0 && x < call.width;
        const std::int64_t at =
            (static_cast<std::int64_t>(inside ? y : 0) * call.width + (inside ? x : 0)) *
            source.channels;
        if (part < parts) copy_16_async(part_of(pixels, pixel, part), map + at + part * 8, inside);
      }
      bring_weights(0);  // in one group with the pixels
      bring_weights(1);

      for (int tap = 0; tap < Shape::kTaps; ++tap) {
        wait_for_copies<1>();
        __syncthreads();
        bring_weights(tap + 2);  // where tap - 1 was, which every warp has left behind
        const unsigned char* const tap_weights = weights + tap % kStages * Shape::kWeightBytes;
        const int dy = tap / kKernel;
        const int dx = tap % kKernel;
        for (int k = 0; k < here / 16; ++k) {
          std::uint32_t b[kOut / 8][2];
#pragma unroll
          for (int j = 0; j < kOut / 16; ++j) {
            std::uint32_t four[4];
            const int n = 16 * j + lane % 8 + lane / 16 * 8;
            load_matrices(
                four, part_of(const_cast<unsigned char*>(tap_weights), n, 2 * k + lane / 8 % 2));
            b[2 * j][0] = four[0];
            b[2 * j][1] = four[1];
            b[2 * j + 1][0] = four[2];
            b[2 * j + 1][1] = four[3];
          }
#pragma unroll
          for (int row = 0; row < kRows; ++row) {
            std::uint32_t a[4];
            const int pixel = (row + dy) * Shape::kInWidth + dx + 16 * warp + lane % 16;
            load_matrices(a, part_of(pixels, pixel, 2 * k + lane / 16));
#pragma unroll
            for (int j = 0; j < kOut / 8; ++j) multiply_add<T>(sums[row][j], a, b[j]);
          }
        }
      }
      wait_for_copies<0>();
      next_weights += Shape::kTaps * kOut * kChunkChannels;
    }
  }

  __syncthreads();
  auto* mine = reinterpret_cast<float*>(pixels) + warp * 16 * Shape::kSumStride;
#pragma unroll
  for (int row = 0; row < kRows; ++row) {
#pragma unroll
    for (int j = 0; j < kOut / 8; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float* to = mine + (lane / 4 + 8 * half) * Shape::kSumStride + 8 * j + lane % 4 * 2;
        to[0] = sums[row][j][2 * half];
        to[1] = sums[row][j][2 * half + 1];
      }
    }
    __syncwarp();
    const int y = first_y + row;
    for (int i = lane; i < 16 * kOut / 8; i += 32) {
      const int x = first_x + 16 * warp + i / (kOut / 8);
      const int n = i % (kOut / 8) * 8;
      if (y < call.height && x < call.width) {
        const float* from = mine + i / (kOut / 8) * Shape::kSumStride + n;
        float values[8];
        for (int v = 0; v < 8; ++v) {
          values[v] = from[v] + (call.bias == nullptr ? 0.0f : call.bias[first_n + n + v]);
        }
        finish<T, kEnding>(call, image, y, x, first_n + n, values);
      }
    }
    __syncwarp();
  }
}

template <typename T, int kKernel, int kOut, int kRows, ConvEnding kEnding>
void start(const ConvCall& call, gpu::StreamView stream) {
  using Shape = Tile<kKernel, kOut, kRows>;
  const auto blocks = [](int size, int each) {
    return static_cast<unsigned>((size + each - 1) / each);
  };
  const unsigned tiles = blocks(call.width, kTileWidth) * blocks(call.height, kRows);
  const dim3 grid(tiles * static_cast<unsigned>(output_tiles<kOut>(call.outputs)),
                  1,
                  static_cast<unsigned>(call.images));
  start_kernel_early("a convolution",
                     conv_kernel<T, kKernel, kOut, kRows, kEnding>,
                     grid,
                     kThreads,
                     Shape::kSharedBytes,
                     stream,
                     call);
}

template <typename T>
void dispatch(const ConvCall& call, gpu::StreamView stream) {
  constexpr int kRows = 4;
  const int tile = ConvLayout{call.kernel, call.outputs, {}}.tile();
  if (call.kernel == 3 && call.ending == ConvEnding::kMap && tile == 64) {
    return start<T, 3, 64, kRows, ConvEnding::kMap>(call, stream);
  }
  if (call.kernel == 3 && call.ending == ConvEnding::kMap && tile == 32) {
    return start<T, 3, 32, kRows, ConvEnding::kMap>(call, stream);
  }
  if (call.kernel == 3 && call.ending == ConvEnding::kMap)
    return start<T, 3, 16, kRows, ConvEnding::kMap>(call, stream);
  if (call.kernel == 3 && call.ending == ConvEnding::kShuffle && tile == 64) {
    return start<T, 3, 64, kRows, ConvEnding::kShuffle>(call, stream);
  }
  if (call.kernel == 3 && call.ending == ConvEnding::kShuffle && tile == 32) {
    return start<T, 3, 32, kRows, ConvEnding::kShuffle>(call, stream);
  }
  if (call.kernel == 3 && call.ending == ConvEnding::kPicture) {
    return start<T, 3, 16, kRows, ConvEnding::kPicture>(call, stream);
  }
  if (call.kernel == 7 && call.ending == ConvEnding::kFlow)
    return start<T, 7, 16, kRows, ConvEnding::kFlow>(call, stream);
  if (call.kernel == 7 && call.ending == ConvEnding::kMap && tile == 16) {
    return start<T, 7, 16, kRows, ConvEnding::kMap>(call, stream);
  }
  if (call.kernel == 7 && call.ending == ConvEnding::kMap && tile == 32) {
    return start<T, 7, 32, kRows, ConvEnding::kMap>(call, stream);
  }
  if (call.kernel == 7 && call.ending == ConvEnding::kMap)
    return start<T, 7, 64, kRows, ConvEnding::kMap>(call, stream);
  if (call.kernel == 1 && call.ending == ConvEnding::kMap && tile == 64) {
    return start<T, 1, 64, kRows, ConvEnding::kMap>(call, stream);
  }
  if (call.kernel == 1 && call.ending == ConvEnding::kMap && tile == 32) {
    return start<T, 1, 32, kRows, ConvEnding::kMap>(call, stream);
  }
  if (call.kernel == 1 && call.ending == ConvEnding::kMap) {
    return start<T, 1, 16, kRows, ConvEnding::kMap>(call, stream);
  }
  refuse("a convolution that no kernel was made for");
}

}  // namespace

void launch_conv(const ConvCall& call, ElementType type, gpu::StreamView stream) {
  if (type == ElementType::kHalf) return dispatch<__half>(call, stream);
  if (type == ElementType::kBfloat16) return dispatch<__nv_bfloat16>(call, stream);
  refuse("convolutions on tensor cores take half or bfloat16");
}

}  // namespace vsr::kernels
