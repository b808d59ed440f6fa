#include "cuda/mma.cuh"
#include "cuda/start_kernel.cuh"
#include "cuda/values.cuh"
#include "vsr/kernels/lanczos.hpp"

namespace vsr::kernels {

// Note [Lanczos]
// Both axes in one kernel, since the picture between them would cost as much traffic as both ends
// together. A block makes a tile of one channel: first the sums down, of all columns that the tile
// needs, into shared memory; then the sums across. An input value is read by as many rows as it
// goes into, from the caches after the first; the weights of a row, later of a column, stay in
// registers where their number is known when compiling.

namespace {

constexpr int kTileWidth = 64;
constexpr int kMostTileHeight = 32;
constexpr int kThreads = 256;
constexpr std::size_t kMostSharedBytes = 32 << 10;  // more blocks at once rather than taller tiles
constexpr std::size_t kSharedBytesThere = 96 << 10;

struct LanczosCall {
  const void* from = nullptr;
  std::int64_t from_row_stride = 0;
  std::int64_t from_plane_stride = 0;
  DeviceAxis across;
  DeviceAxis down;
  float* to = nullptr;
  std::int64_t to_row_stride = 0;
  std::int64_t to_plane_stride = 0;
  int tile_height = 0;
  int span = 0;  // columns of input that a tile may need
};

// The weights of one output sample: in registers, or where they lie.
template <int kTaps>
class Weights {
 public:
  __device__ Weights(const DeviceAxis& axis, int i) {
#pragma unroll
    for (int tap = 0; tap < kTaps; ++tap) values_[tap] = axis.weights[i * kTaps + tap];
  }

  __device__ int count() const { return kTaps; }

  __device__ float operator[](int tap) const { return values_[tap]; }

 private:
  float values_[kTaps];
};

template <>
class Weights<0> {
 public:
  __device__ Weights(const DeviceAxis& axis, int i)
      : values_(axis.weights + static_cast<std::int64_t>(i) * axis.taps), count_(axis.taps) {}

  __device__ int count() const { return count_; }

  __device__ float operator[](int tap) const { return values_[tap]; }

 private:
  const float* values_;
  int count_;
};

// from: T [3, down.in, across.in]; to: fp32 [3, down.out, across.out]. kTaps: of both axes, or 0
// where they are to be looked up. Grid: (tiles across, tiles down, channels); see Note [Lanczos].
template <typename T, int kTaps>
__global__ void __launch_bounds__(kThreads) lanczos_kernel(const LanczosCall call) {
  auto* sums_down = reinterpret_cast<float*>(shared_memory());  // [tile_height, span]
  const int thread = static_cast<int>(threadIdx.x);
  const int first_x = static_cast<int>(blockIdx.x) * kTileWidth;
  const int first_y = static_cast<int>(blockIdx.y) * call.tile_height;
  const int left_x = call.across.out - first_x;
  const int left_y = call.down.out - first_y;
  const int width = left_x < kTileWidth ? left_x : kTileWidth;
  const int height = left_y < call.tile_height ? left_y : call.tile_height;
  const int first_column = call.across.first[first_x];
  const int columns = call.across.first[first_x + width - 1] + call.across.taps - first_column;

  const T* from = static_cast<const T*>(call.from) + blockIdx.z * call.from_plane_stride;
  for (int row = thread / kWarp; row < height; row += kThreads / kWarp) {
    const Weights<kTaps> weights(call.down, first_y + row);
    const T* top = from + call.down.first[first_y + row] * call.from_row_stride + first_column;
    for (int column = thread % kWarp; column < columns; column += kWarp) {
      FiniteCheck check;
      float sum = 0.0f;
#pragma unroll
      for (int tap = 0; tap < weights.count(); ++tap) {
        const float value = widen(top[tap * call.from_row_stride + column]);
        check.add(value);
        sum = fmaf(to_unit(value), weights[tap], sum);
      }
      sums_down[row * call.span + column] = sum + check.zero();
    }
  }
  __syncthreads();

  const int column = thread % kTileWidth;
  if (column >= width) return;
  const Weights<kTaps> weights(call.across, first_x + column);
  const float* left = sums_down + call.across.first[first_x + column] - first_column;
  float* to = call.to + blockIdx.z * call.to_plane_stride + first_x + column;
  for (int row = thread / kTileWidth; row < height; row += kThreads / kTileWidth) {
    float sum = 0.0f;
#pragma unroll
    for (int tap = 0; tap < weights.count(); ++tap) {
      sum = fmaf(left[row * call.span + tap], weights[tap], sum);
    }
    to[(first_y + row) * call.to_row_stride] = sum;
  }
}

template <typename T, int kTaps>
void start(const LanczosCall& call, std::size_t shared_bytes, gpu::StreamView stream) {
  start_kernel("a Lanczos scaling",
               lanczos_kernel<T, kTaps>,
               dim3(blocks_over(call.across.out, kTileWidth),
                    blocks_over(call.down.out, call.tile_height),
                    3),
               kThreads,
               shared_bytes,
               stream,
               call);
}

template <typename T>
void dispatch(const LanczosCall& call, std::size_t shared_bytes, gpu::StreamView stream) {
  // Enlarging; down to 3/4; down to 1/2.
  const int taps = call.across.taps == call.down.taps ? call.across.taps : 0;
  if (taps == 6) return start<T, 6>(call, shared_bytes, stream);
  if (taps == 8) return start<T, 8>(call, shared_bytes, stream);
  if (taps == 12) return start<T, 12>(call, shared_bytes, stream);
  return start<T, 0>(call, shared_bytes, stream);
}

}  // namespace

void launch_lanczos(const RgbView& from,
                    const DeviceAxis& across,
                    const DeviceAxis& down,
                    const MutableRgbView& to,
                    gpu::StreamView stream) {
  if (across.in != from.width || down.in != from.height || across.out != to.width ||
      down.out != to.height || across.out < 1 || down.out < 1) {
    refuse("a Lanczos scaling of other sizes than its tables");
  }
  LanczosCall call;
  call.from = from.data;
  call.from_row_stride = from.row_stride_elems;
  call.from_plane_stride = from.plane_stride_elems;
  call.across = across;
  call.down = down;
  call.to = to.data;
  call.to_row_stride = to.row_stride_elems;
  call.to_plane_stride = to.plane_stride_elems;
  // The first columns of a tile's two ends are their distance in the input apart, rounded up.
  const std::int64_t apart = static_cast<std::int64_t>(kTileWidth - 1) * across.in / across.out + 2;
  call.span = static_cast<int>(apart + across.taps < across.in ? apart + across.taps : across.in);
  const auto bytes = [&](int rows) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(call.span) * sizeof(float);
  };
  call.tile_height = kMostTileHeight;
  while (call.tile_height > 1 && bytes(call.tile_height) > kMostSharedBytes) call.tile_height /= 2;
  if (bytes(call.tile_height) > kSharedBytesThere) refuse("a Lanczos scaling by too great a ratio");
  if (from.type == ElementType::kFloat) {
    return dispatch<float>(call, bytes(call.tile_height), stream);
  }
  if (from.type == ElementType::kHalf) {
    return dispatch<__half>(call, bytes(call.tile_height), stream);
  }
  refuse("pictures are scaled from float or half");
}

}  // namespace vsr::kernels
