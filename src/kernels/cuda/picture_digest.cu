#include "cuda/start_kernel.cuh"
#include "cuda/values.cuh"
#include "cuda/warp.cuh"
#include "digest_call.hpp"

namespace vsr::kernels {

// Note [Digests on the device]
// As with Lanczos, a block makes a tile of one plane's small picture: sums down, of all columns
// that the tile needs, into shared memory; then sums across. Some more planes of the grid copy the
// rows. Each product is rounded by itself (the file is compiled without contraction) and sums go in
// the order of the host's resample_row(), so they are the host's. Bound by memory: 4096x1728 of
// 16-bit 4:2:2 is 28 MB in and 4 MB out.

namespace {

constexpr int kTileWidth = 64;
constexpr int kMostTileHeight = 16;
constexpr int kThreads = 256;
constexpr std::size_t kMostSharedBytes = 32 << 10;  // more blocks at once rather than taller tiles
constexpr std::size_t kSharedBytesThere = 96 << 10;

struct Tiling {
  int tile_height = 0;
  int span = 0;  // columns of a plane that a tile may need
};

template <typename Sample>
__device__ const Sample* row_of(const DigestCall::Plane& plane, int y) {
  return reinterpret_cast<const Sample*>(static_cast<const unsigned char*>(plane.samples) +
                                         y * plane.pitch_bytes);
}

template <typename Sample>
__device__ void average_tile(const DigestCall& call, const Tiling& tiling, int z) {
  auto* sums_down = reinterpret_cast<float*>(shared_memory());  // [tile_height, span]
  const DigestCall::Plane& plane = call.planes[z];
  const DeviceAxis& across = plane.across;
  const DeviceAxis& down = plane.down;
  const int thread = static_cast<int>(threadIdx.x);
  const int first_x = static_cast<int>(blockIdx.x) * kTileWidth;
  const int first_y = static_cast<int>(blockIdx.y) * tiling.tile_height;
  const int left_x = call.width - first_x;
  const int left_y = call.height - first_y;
  const int width = left_x < kTileWidth ? left_x : kTileWidth;
  const int height = left_y < tiling.tile_height ? left_y : tiling.tile_height;
  const int first_column = across.first[first_x];
  const int columns = across.first[first_x + width - 1] + across.taps - first_column;
  for (int row = thread / kWarp; row < height; row += kThreads / kWarp) {
    const int top = down.first[first_y + row];
    const float* weights = down.weights + static_cast<std::int64_t>(first_y + row) * down.taps;
    for (int column = thread % kWarp; column < columns; column += kWarp) {
      float sum = 0.0f;
#pragma unroll 4
      for (int tap = 0; tap < down.taps; ++tap) {
        sum += weights[tap] *
               static_cast<float>(row_of<Sample>(plane, top + tap)[first_column + column]);
      }
      sums_down[row * tiling.span + column] = sum;
    }
  }
  __syncthreads();
  const int column = thread % kTileWidth;
  if (column >= width) return;
  const float* weights = across.weights + static_cast<std::int64_t>(first_x + column) * across.taps;
  const float* left = sums_down + across.first[first_x + column] - first_column;
  for (int row = thread / kTileWidth; row < height; row += kThreads / kTileWidth) {
    float sum = 0.0f;
#pragma unroll 4
    for (int tap = 0; tap < across.taps; ++tap) sum += weights[tap] * left[row * tiling.span + tap];
    const std::int64_t to = static_cast<std::int64_t>(z) * call.height + first_y + row;
    call.small[to * call.width + first_x + column] =
        static_cast<std::uint16_t>(sum * call.unit + 0.5f);
  }
}

// All blocks of one plane of the grid share the rows.
template <typename Sample>
__device__ void copy_rows(const DigestCall& call, int z) {
  const int block = static_cast<int>(blockIdx.y * gridDim.x + blockIdx.x);
  const int blocks = static_cast<int>(gridDim.x * gridDim.y);
  auto* rows = static_cast<Sample*>(call.rows);
  for (int row = block; row < 2 * call.pairs; row += blocks) {
    const int y = row_of_pair(row / 2, call.pairs, call.picture_height) + row % 2;
    const Sample* from = row_of<Sample>(call.planes[z], y);
    Sample* to = rows + (static_cast<std::int64_t>(z) * 2 * call.pairs + row) * call.picture_width;
    for (int x = static_cast<int>(threadIdx.x); x < call.picture_width; x += kThreads) {
      to[x] = from[x];
    }
  }
}

// Grid: (tiles across, tiles down, planes of the small picture and then of the rows).
template <typename Sample>
__global__ void __launch_bounds__(kThreads)
    digest_kernel(const DigestCall call, const Tiling tiling) {
  const int z = static_cast<int>(blockIdx.z);
  if (z < call.plane_count) {
    average_tile<Sample>(call, tiling, z);
  } else {
    copy_rows<Sample>(call, z - call.plane_count);
  }
}

}  // namespace

void start_digest(const DigestCall& call, int sample_bytes, gpu::StreamView stream) {
  Tiling tiling;
  for (int i = 0; i < call.plane_count; ++i) {
    const DeviceAxis& across = call.planes[i].across;
    const DeviceAxis& down = call.planes[i].down;
    if (across.out != call.width || down.out != call.height || call.width < 1 || call.height < 1) {
      refuse("a digest of another size than its tables");
    }
    // The first columns of a tile's two ends are their distance in the plane apart, rounded up.
    const std::int64_t needed =
        static_cast<std::int64_t>(kTileWidth - 1) * across.in / across.out + 2 + across.taps;
    const int span = static_cast<int>(needed < across.in ? needed : across.in);
    tiling.span = span > tiling.span ? span : tiling.span;
  }
  const auto bytes = [&](int rows) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(tiling.span) * sizeof(float);
  };
  tiling.tile_height = kMostTileHeight;
  while (tiling.tile_height > 1 && bytes(tiling.tile_height) > kMostSharedBytes) {
    tiling.tile_height /= 2;
  }
  if (bytes(tiling.tile_height) > kSharedBytesThere) refuse("a digest by too great a ratio");
  start_kernel("the digest of a picture",
               sample_bytes == 1 ? digest_kernel<std::uint8_t> : digest_kernel<std::uint16_t>,
               dim3(blocks_over(call.width, kTileWidth),
                    blocks_over(call.height, tiling.tile_height),
                    static_cast<unsigned>(call.plane_count + call.row_planes)),
               kThreads,
               bytes(tiling.tile_height),
               stream,
               call,
               tiling);
}

}  // namespace vsr::kernels
