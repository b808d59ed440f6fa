#include "cuda/start_kernel.cuh"
#include "cuda/values.cuh"
#include "vsr/kernels/tiles.hpp"

namespace vsr::kernels {

// Both kernels are bound by memory: a thread takes four samples in a row, a warp 128.

namespace {

constexpr int kTileAcross = 4;
constexpr int kTileRows = 4;
constexpr float kOne = 65535.0f;

struct AddTileCall {
  TileView tile;
  std::uint16_t* to = nullptr;  // where the tile's first sample goes
  std::int64_t to_row = 0;
  std::int64_t to_plane = 0;
  int* not_finite = nullptr;
};

// Rounding and shares together may come to a little more than 1.
__device__ inline unsigned short added(unsigned short there, float value, float share) {
  const float sum = static_cast<float>(there) + rintf(to_unit(value) * share * kOne);
  return static_cast<unsigned short>(fminf(sum, kOne));
}

__global__ void __launch_bounds__(kWarp* kTileRows) add_tile_kernel(const AddTileCall call) {
  const int thread = static_cast<int>(threadIdx.x);
  const int x = (static_cast<int>(blockIdx.x) * kWarp + thread % kWarp) * kTileAcross;
  const int y = static_cast<int>(blockIdx.y) * kTileRows + thread / kWarp;
  const auto plane = static_cast<std::int64_t>(blockIdx.z);
  const TileView& tile = call.tile;
  if (x >= tile.width || y >= tile.height) return;
  const float4 values = *reinterpret_cast<const float4*>(
      tile.data + (plane * tile.height + y) * std::int64_t{tile.width} + x);
  const float4 across = *reinterpret_cast<const float4*>(tile.across + x);
  const float down = tile.down[y];
  auto* const to =
      reinterpret_cast<ushort4*>(call.to + plane * call.to_plane + y * call.to_row + x);
  ushort4 sums = *to;
  sums.x = added(sums.x, values.x, across.x * down);
  sums.y = added(sums.y, values.y, across.y * down);
  sums.z = added(sums.z, values.z, across.z * down);
  sums.w = added(sums.w, values.w, across.w * down);
  *to = sums;
  FiniteCheck check;
  check.add(values.x);
  check.add(values.y);
  check.add(values.z);
  check.add(values.w);
  if (check.failed()) atomicOr(call.not_finite, 1);
}

__global__ void __launch_bounds__(kWarp* kTileRows)
    gathered_to_rgb_kernel(const std::uint16_t* gathered, float* rgb, std::int64_t samples) {
  const std::int64_t i =
      (static_cast<std::int64_t>(blockIdx.x) * (kWarp * kTileRows) + threadIdx.x) * kTileAcross;
  if (i >= samples) return;
  const ushort4 from = *reinterpret_cast<const ushort4*>(gathered + i);
  *reinterpret_cast<float4*>(rgb + i) =
      make_float4(from.x / kOne, from.y / kOne, from.z / kOne, from.w / kOne);
}

}  // namespace

void launch_add_tile(const TileView& tile,
                     const GatheredPicture& picture,
                     int x,
                     int y,
                     int* not_finite,
                     gpu::StreamView stream) {
  if ((tile.width | picture.width | x) % kTileAcross != 0 || x < 0 || y < 0 ||
      x + tile.width > picture.width || y + tile.height > picture.height) {
    refuse("a tile that does not lie in its picture");
  }
  AddTileCall call;
  call.tile = tile;
  call.to = picture.data + std::int64_t{y} * picture.width + x;
  call.to_row = picture.width;
  call.to_plane = std::int64_t{picture.height} * picture.width;
  call.not_finite = not_finite;
  start_kernel(
      "a tile's adding",
      add_tile_kernel,
      dim3(blocks_over(tile.width, kWarp * kTileAcross), blocks_over(tile.height, kTileRows), 3),
      kWarp * kTileRows,
      0,
      stream,
      call);
}

void launch_gathered_to_rgb(const GatheredPicture& picture, float* rgb, gpu::StreamView stream) {
  const std::int64_t samples = std::int64_t{3} * picture.height * picture.width;
  constexpr std::int64_t kBlock = kWarp * kTileRows * kTileAcross;
  start_kernel("a gathered picture's conversion",
               gathered_to_rgb_kernel,
               dim3(static_cast<unsigned>((samples + kBlock - 1) / kBlock)),
               kWarp * kTileRows,
               0,
               stream,
               static_cast<const std::uint16_t*>(picture.data),
               rgb,
               samples);
}

}  // namespace vsr::kernels
