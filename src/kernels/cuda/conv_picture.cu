#include "cuda/enlarged.cuh"
#include "cuda/rows_ring.cuh"
#include "cuda/start_kernel.cuh"
#include "cuda/tensor_map.hpp"
#include "vsr/kernels/conv_picture.hpp"
#include "vsr/kernels/conv_rows.hpp"

#include <algorithm>

namespace vsr::kernels {

// Note [Picture convolution]
// The first convolution goes as in Note [Rows convolution]: a block goes down a strip, two
// warpgroups make the even and the odd rows, 64 channels x 128 pixels at a time. A row, rounded, is
// laid down in shared memory as rows of pixels under the swizzle, which is what a product takes.
//
// The third warpgroup does what is left, row after row, while the two are at their next. First a
// product, 128 pixels x 64 channels by 64 channels x 32 (tap, colour): what this row's pixels give
// to each tap of the second convolution. That goes through shared memory once more; there thread i
// sums for pixel i what the taps of a row of the kernel ask of it and of the pixels to its left and
// right. So a row of the first convolution becomes three sums a pixel and colour, for the picture's
// rows below, at and above it, and the row above is finished.
//
// It also has the copy engine bring the source's rows. A row of the first convolution is there when
// its products are done, so the uppermost of the rows that it was made of may be overwritten.
//
// The third warpgroup needs registers too: the weights of two taps, for which the first two have
// none left, lie in shared memory.
//
// The outer two pixels of a strip only give to their neighbours, so strips follow each other at 126
// pixels; and a run of rows makes a row more at either end. What lies outside the picture is left
// out of the sums.

namespace {

using namespace hopper;

using Shape = RowsShape<64, 1>;
using Ring = RowsRing<Shape, 7>;

constexpr int kMade = kStrip - 2;  // pixels of the picture in a strip
constexpr int kStages = 3;         // rows of the first convolution on their way
constexpr int kLaidDown = 2;       // taps of the first convolution that registers are too few for
constexpr int kLaidDownBytes = 64 * 128;
constexpr int kHeld = Shape::kSteps - 4 * kLaidDown;
constexpr int kTaps = 32;  // rows of the second product's weights
constexpr int kWeightBytes = kTaps * Shape::kOutBytes;
constexpr int kTapStride = kStrip + 4;  // floats; keeps lanes in different banks
constexpr int kTapBytes = kTaps * kTapStride * 4;
constexpr int kStageBarriers = 2 * kStages;
constexpr int kBarriers = Ring::kBarriers + kStageBarriers + Turns::kBarriers;
constexpr int kSharedBytes = Ring::kBytes + kStages * kSumBytes + kLaidDown * kLaidDownBytes +
                             kWeightBytes + kTapBytes + kBarriers * 8 + 1024;
static_assert(kSharedBytes <= 227 * 1024);

struct Parameters {
  CUtensorMap source;  // {channels, width, height, 1}
  PictureConvCall call;
  int strips;
  int base_height;
  int base_width;
  float step;  // 1 / scale
};

// A run of the picture's rows [begin, end) of one strip.
struct Piece {
  int x;
  int begin;
  int end;

  // Of the first convolution.
  __device__ int rows() const { return end - begin + 2; }
};

__device__ Piece piece_at(const PictureConvCall& call, int at, int until) {
  const int begin = at % call.height;
  return {at / call.height * kMade, begin, begin + min(call.height - begin, until - at)};
}

template <typename T>
__global__ void __launch_bounds__(kThreads, 1)
    picture_conv_kernel(const __grid_constant__ Parameters p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ unsigned char memory[];
  const std::uint32_t start = shared_address(memory);
  const std::uint32_t base = (start + 1023u) & ~1023u;
  const std::uint32_t stages = base + Ring::kBytes;
  const std::uint32_t laid_down = stages + kStages * kSumBytes;
  const std::uint32_t weights2 = laid_down + kLaidDown * kLaidDownBytes;
  const std::uint32_t floats = weights2 + kWeightBytes;
  const std::uint32_t barriers = floats + kTapBytes;
  const Ring ring{base, barriers};
  const Turns turns{barriers + 8 * (Ring::kBarriers + kStageBarriers)};
  // Of the first convolution's row number `made`, from 0.
  const auto stage_memory = [&](int made) { return stages + made % kStages * kSumBytes; };
  const auto stage_parity = [](int made) { return made / kStages & 1; };
  const auto stage_full = [&](int made) {
    return barriers + 8 * (Ring::kBarriers + made % kStages);
  };
  const auto stage_empty = [&](int made) { return stage_full(made) + 8 * kStages; };

  const PictureConvCall& call = p.call;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) {
    ring.init();
    turns.init();
    // A lane of each warp.
    for (int i = 0; i < kStageBarriers; ++i) init_barrier(barriers + 8 * (Ring::kBarriers + i), 4);
    fence_barriers();
  }
  const auto* const weights1 = static_cast<const uint4*>(call.weights1);
  if (thread < kWeightBytes / 16) {
    *reinterpret_cast<uint4*>(memory + (weights2 - start) + 16 * thread) =
        __ldg(static_cast<const uint4*>(call.weights2) + thread);
  }
  if (thread < 128) {
    for (int i = 0; i < kLaidDown; ++i) {
      lay_down_weights(memory + (laid_down - start) + i * kLaidDownBytes,
                       weights1 + (kHeld + 4 * i) * 128,
                       thread);
    }
  }
  fence_shared_writes();
  __syncthreads();
  let_next_kernel_start();

  const int all = p.strips * call.height;
  const auto share = [&](unsigned block) {
    return static_cast<int>(static_cast<long long>(all) * block / gridDim.x);
  };
  const int first = share(blockIdx.x);
  const int last = share(blockIdx.x + 1);
  const int warp = __shfl_sync(0xffffffffu, thread % 128 / 32, 0);
  const int lane = thread % 32;

  if (thread < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 56;\n");
    wait_for_previous_kernel();
    // By the first thread: rows of the source brought so far, and the next one, counted from the
    // piece's first, which is two above what it makes.
    int brought = 0;
    int bringing = first;
    int bringing_row = 0;
    const auto bring_until = [&](int end) {
      if (thread != 0) return;
      for (; brought < end && bringing < last; ++brought) {
        const Piece piece = piece_at(call, bringing, last);
        arrive_expecting(ring.full(brought), Shape::kBoxBytes);
        load_box(ring.slot(brought),
                 p.source,
                 ring.full(brought),
                 0,
                 piece.x - 2,
                 piece.begin - 2 + bringing_row,
                 0);
        if (++bringing_row == piece.rows() + 2) {
          bringing += piece.end - piece.begin;
          bringing_row = 0;
        }
      }
    };
    bring_until(Ring::kRows);

    float* const taps = reinterpret_cast<float*>(memory + (floats - start));
    // Where this thread has its part of the product: (lane % 4, lane / 4) of each 8x8 matrix.
    float* const taps_made = taps + lane % 4 * 2 * kTapStride + 16 * warp + lane / 4;
    int row = 0;   // of the ring: the piece's first
    int made = 0;  // of the first convolution
    for (int at = first; at < last;) {
      const Piece piece = piece_at(call, at, last);
      at += piece.end - piece.begin;
      const int count = piece.rows();
      const int x = piece.x + thread - 1;
      const bool has_left = x > 0;
      const bool has_right = x + 1 < call.width;
      // What the rows so far give to the row at the one that comes next, and to the one above that.
      float at_next[3] = {0.0f, 0.0f, 0.0f};
      float above_next[3] = {0.0f, 0.0f, 0.0f};
      for (int i = 0; i < count; ++i, ++made) {
        // The row above this one, which it finishes, begins with what all is added to.
        const int y = piece.begin + i - 2;
        const bool gives = i >= 2 && thread > 0 && thread <= kMade && x < call.width;
        if (gives) {
#pragma unroll
          for (int c = 0; c < 3; ++c) {
            above_next[c] +=
                __ldg(call.bias2 + c) + enlarged(call.base + c * p.base_height * p.base_width,
                                                 p.base_height,
                                                 p.base_width,
                                                 p.step,
                                                 y,
                                                 x);
          }
        }

        wait(stage_full(made), stage_parity(made));
        bring_until(row + i + 1 + Ring::kRows + (i == count - 1 ? 2 : 0));
        meet(1, 128);  // the last row's taps have been read
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float sums[16];
          begin_products();
#pragma unroll
          for (int step = 0; step < 4; ++step) {
            multiply_add<T>(sums,
                            pixels_descriptor<Shape::kOutBytes>(stage_memory(made) +
                                                                half * 64 * Shape::kOutBytes) +
                                step * 2,
                            pixels_descriptor<Shape::kOutBytes>(weights2) + step * 2,
                            step > 0);
          }
          commit_products();
          wait_for_products<0>();
          fence_sums(sums);
#pragma unroll
          for (int v = 0; v < 16; ++v) {
            taps_made[(v / 4 * 8 + v % 2) * kTapStride + half * 64 + v / 2 % 2 * 8] = sums[v];
          }
        }
        if (lane == 0) arrive(stage_empty(made));
        meet(1, 128);

        const bool inside = y + 1 >= 0 && y + 1 < call.height;
        const float* const left = taps + max(thread - 1, 0);
        const float* const right = taps + min(thread + 1, kStrip - 1);
        const std::int64_t plane = static_cast<std::int64_t>(call.height) * call.width;
        float* const out = call.out + static_cast<std::int64_t>(y) * call.width + x;
#pragma unroll
        for (int c = 0; c < 3; ++c) {
          float sums[3];
#pragma unroll
          for (int ky = 0; ky < 3; ++ky) {
            const int n = 9 * ky + c;
            float sum = taps[(n + 3) * kTapStride + thread];
            if (has_left) sum += left[n * kTapStride];
            if (has_right) sum += right[(n + 6) * kTapStride];
            sums[ky] = inside ? sum : 0.0f;
          }
          if (gives) out[c * plane] = above_next[c] + sums[2];
          above_next[c] = at_next[c] + sums[1];
          at_next[c] = sums[0];
        }
      }
      row += count + 2;
    }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 224;\n");
  const int group = __shfl_sync(0xffffffffu, thread / 128 - 1, 0);
  const std::uint32_t matrices = matrix_offset<Shape>(warp, lane);
  std::uint32_t weights[kHeld][4];
  load_weights(weights, weights1, thread % 128);
  int row = 0;   // of the ring: the piece's first
  int turn = 0;  // of this group, which a piece gives as many as the other one
  int made = 0;  // rows of the pieces before
  for (int at = first; at < last;) {
    const Piece piece = piece_at(call, at, last);
    at += piece.end - piece.begin;
    const int count = piece.rows();
    for (int i = group; i < count + count % kGroups; i += kGroups, ++turn) {
      if (i == count) {
        turns.take(group, turn);
        turns.pass_on(group, lane);
        continue;
      }
      float sums[64];
      for (int j = 0; j < 3; ++j) wait(ring.full(row + i + j), ring.parity(row + i + j));
      turns.take(group, turn);
      convolve_rows<T, Shape>(
          sums,
          weights,
          laid_down,
          [&](int dy) { return ring.slot(row + i + dy); },
          [&] { turns.pass_on(group, lane); });
      wait(stage_empty(made + i), stage_parity(made + i) ^ 1);
      const float bias[2] = {__ldg(call.bias1 + warp * 16 + lane / 4),
                             __ldg(call.bias1 + warp * 16 + lane / 4 + 8)};
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        std::uint32_t narrow[4];
#pragma unroll
        for (int v = 0; v < 4; ++v) {
          const float low = sums[8 * j + 2 * v] + bias[v % 2];
          const float high = sums[8 * j + 2 * v + 1] + bias[v % 2];
          narrow[v] =
              Pair<T>::narrow(fmaxf(low, low * call.slope), fmaxf(high, high * call.slope), false);
        }
        store_transposed(stage_memory(made + i) + matrices + j * 16 * Shape::kOutBytes, narrow);
      }
      fence_shared_writes();
      __syncwarp();
      if (lane == 0) arrive(stage_full(made + i));
    }
    made += count;
    row += count + 2;
  }
#endif
}

}  // namespace

bool has_picture_conv(int device) { return has_rows_conv(device); }

void launch_picture_conv(const PictureConvCall& call, ElementType type, gpu::StreamView stream) {
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, stream.device);
  const auto width = static_cast<std::uint64_t>(call.width);
  const auto height = static_cast<std::uint64_t>(call.height);
  constexpr std::uint64_t kChannels = kPictureConvChannels;
  Parameters parameters{};
  parameters.source =
      tensor_map({.data = call.source,
                  .dimensions = 4,
                  .sizes = {kChannels, width, height, 1},
                  .strides = {kChannels * 2, kChannels * 2 * width, kChannels * 2 * width * height},
                  .box = {kChannels, kBoxPixels, 1, 1}},
                 type);
  parameters.call = call;
  parameters.base_height = call.height / call.scale;
  parameters.base_width = call.width / call.scale;
  parameters.step = 1.0f / static_cast<float>(call.scale);
  parameters.strips = (call.width + kMade - 1) / kMade;
  const int blocks = std::min(multiprocessors, parameters.strips * call.height);
  const auto start = [&](auto kernel) {
    start_kernel_early("a convolution to a picture",
                       kernel,
                       dim3(static_cast<unsigned>(blocks)),
                       kThreads,
                       kSharedBytes,
                       stream,
                       parameters);
  };
  if (type == ElementType::kHalf) return start(picture_conv_kernel<__half>);
  if (type == ElementType::kBfloat16) return start(picture_conv_kernel<__nv_bfloat16>);
  refuse("convolutions on tensor cores take half or bfloat16");
}

}  // namespace vsr::kernels
