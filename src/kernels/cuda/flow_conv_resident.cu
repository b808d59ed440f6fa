#include "cuda/flow_conv.cuh"
#include "cuda/launch.hpp"
#include "cuda/start_kernel.cuh"

#include <algorithm>

namespace vsr::kernels {

// Note [Resident weights]
// The small convolutions keep their weights in shared memory. A warpgroup makes 64 / outputs rows
// of 128 pixels at a time (a pass), going through the rows of pixels that these need, which a warp
// of its own has the copy engine bring into a ring. While one warpgroup rounds and stores others
// have the tensor cores: those of other blocks on the multiprocessor, or, where the weights leave
// room for one block only, the second one of this block, which makes every other pass.
//
// A pixel of 8 channels is 16 bytes, half of what one product sums over: the other half is the
// pixel's neighbour, which is where the next 8 elements are looked for.
//
// Of 16 -> 2 a warp has one row of outputs, by dx; it lays them down in shared memory and each lane
// adds up what belongs to its pixels. A product's row gives six pixels less than it reads.

namespace {

using namespace hopper;

// For flows: a warp's sums by dx, [2 dx + output][pixel]; the eight lines that are written at once
// begin in different banks.
constexpr int kFlowLines = 2 * FlowConvLayout::kKernel;
constexpr int kFlowLineFloats = kFlowStrip + 8;
constexpr int kFlowStageBytes = kFlowLines * kFlowLineFloats * 4;

template <int kInputs, int kOutputs>
struct Shape {
  static constexpr FlowConvLayout kLayout{kInputs, kOutputs};
  static_assert(kLayout.part == kInputs);
  static constexpr int kPixelBytes = kInputs * 2;
  static constexpr int kHalo = FlowConvLayout::kKernel - 1;
  static constexpr int kBoxPixels = kOutputs == 2  ? kFlowStrip
                                    : kInputs == 8 ? kFlowStrip + kHalo + 2
                                                   : kFlowStrip + kHalo;
  static constexpr int kBoxBytes = kBoxPixels * kPixelBytes;
  static constexpr int kSlotUnit = std::max(128, 8 * kPixelBytes);
  static constexpr int kSlotBytes = (kBoxBytes + kSlotUnit - 1) / kSlotUnit * kSlotUnit;
  static constexpr int kGroups = kInputs == 32 ? 2 : 1;  // that compute
  // One more than a pass of 32 -> 16 needs, so that the group behind can always go on.
  static constexpr int kSlots = kInputs == 32 ? 11 : kInputs == 16 ? 9 : 10;
  static constexpr int kOutRowBytes = kFlowStrip * kOutputs * 2;
  static constexpr int kStageBytes =
      kOutputs == 2 ? 4 * kFlowStageBytes : kLayout.rows * kOutRowBytes;
  static constexpr int kTileBytes = kLayout.tile_elements * 2;
  static constexpr int kWeightBytes = kLayout.tiles * kTileBytes;
  static constexpr int kBarriers = 2 * kSlots + 1;
  static constexpr int kSharedBytes =
      1024 + kGroups * kStageBytes + kSlots * kSlotBytes + kWeightBytes + kBarriers * 8;
  static constexpr int kThreads = 128 * kGroups + 32;
  static constexpr int kBlocks = kInputs == 32 ? 1 : 3;  // a multiprocessor
  static_assert((kSharedBytes + 1024) * kBlocks <= kMostSharedBytes + 1024);
};

// Pixels of a row of flows that a lane makes, 32 apart.
constexpr int kLanePixels = kFlowStrip / 32;

__device__ inline bool makes_pixel(const FlowConvParameters& p, int x, int pixel) {
  return pixel < p.strip && x + pixel < p.width;
}

[[maybe_unused]] __device__ inline void load_base(
    const FlowConvParameters& p, int image, int y, int x, int lane, float2 (&flow)[kLanePixels]) {
  const auto* row = reinterpret_cast<const float2*>(p.base) +
                    (static_cast<std::int64_t>(image) * p.height + y) * p.width + x;
#pragma unroll
  for (int i = 0; i < kLanePixels; ++i) {
    const int pixel = lane + 32 * i;
    if (y < p.height && makes_pixel(p, x, pixel)) flow[i] = row[pixel];
  }
}

// `stage`: the warp's.
[[maybe_unused]] __device__ inline void add_to_flow(const FlowConvParameters& p,
                                                    const float (&sums)[64],
                                                    float* stage,
                                                    int image,
                                                    int y,
                                                    int x,
                                                    int lane,
                                                    float2 (&flow)[kLanePixels]) {
  __syncwarp();  // what was there before has been read
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int line = lane / 4 + 8 * half;
    float* to = stage + line * kFlowLineFloats + lane % 4 * 2;
    if (line < kFlowLines) {
#pragma unroll
      for (int j = 0; j < 16; ++j) {
        *reinterpret_cast<float2*>(to + 8 * j) =
            float2{sums[4 * j + 2 * half], sums[4 * j + 2 * half + 1]};
      }
    }
  }
  __syncwarp();
  if (y >= p.height) return;
  const float2 bias{__ldg(p.bias), __ldg(p.bias + 1)};
  auto* row = reinterpret_cast<float2*>(p.flow) +
              (static_cast<std::int64_t>(image) * p.height + y) * p.width + x;
#pragma unroll
  for (int i = 0; i < kLanePixels; ++i) {
    const int pixel = lane + 32 * i;
    if (!makes_pixel(p, x, pixel)) continue;
    float2 sum = bias;
#pragma unroll
    for (int dx = 0; dx < FlowConvLayout::kKernel; ++dx) {
      sum.x += stage[2 * dx * kFlowLineFloats + pixel + dx];
      sum.y += stage[(2 * dx + 1) * kFlowLineFloats + pixel + dx];
    }
    row[pixel] = float2{flow[i].x + sum.x, flow[i].y + sum.y};
  }
}

template <typename T, int kInputs, int kOutputs>
__global__ void __launch_bounds__(Shape<kInputs, kOutputs>::kThreads,
                                  Shape<kInputs, kOutputs>::kBlocks)
    flow_conv_resident_kernel(const __grid_constant__ FlowConvParameters p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  using S = Shape<kInputs, kOutputs>;
  constexpr FlowConvLayout kLayout = S::kLayout;
  constexpr int kRows = kLayout.rows;
  constexpr int kInputRows = kLayout.input_rows;
  extern __shared__ unsigned char memory[];
  const std::uint32_t padding = (0u - shared_address(memory)) & 1023u;
  const std::uint32_t stages = shared_address(memory) + padding;
  const std::uint32_t ring = stages + S::kGroups * S::kStageBytes;
  const std::uint32_t tiles = ring + S::kSlots * S::kSlotBytes;
  const std::uint32_t barriers = tiles + S::kWeightBytes;
  const auto slot = [&](int row) {
    return ring + static_cast<std::uint32_t>(row % S::kSlots * S::kSlotBytes);
  };
  const auto full = [&](int row) { return barriers + 8 * (row % S::kSlots); };
  const auto empty = [&](int row) { return barriers + 8 * (S::kSlots + row % S::kSlots); };
  const auto parity = [](int row) { return row / S::kSlots & 1; };
  const std::uint32_t weights_full = barriers + 8 * 2 * S::kSlots;

  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) {
    prefetch_map(p.source);
    if (kOutputs > 2) prefetch_map(p.out);
    for (int i = 0; i < S::kSlots; ++i) {
      init_barrier(full(i), 1);
      init_barrier(empty(i), 4 * S::kGroups);
    }
    init_barrier(weights_full, 1);
    fence_barriers();
  }
  __syncthreads();
  let_next_kernel_start();

  const int first = flow_conv_share(p, blockIdx.x);
  const int last = flow_conv_share(p, blockIdx.x + 1);
  const int group = thread / 128;
  const int warp = thread / 32 % 4;
  const int lane = thread % 32;

  if (group == S::kGroups) {
    if (lane != 0) return;
    arrive_expecting(weights_full, S::kWeightBytes);
    load_bytes(tiles, p.weights, S::kWeightBytes, weights_full);
    wait_for_previous_kernel();
    int row = 0;
    for (int at = first; at < last;) {
      const FlowConvPiece piece = flow_conv_piece(p, at, last);
      at += piece.count;
      const int count = piece.count * kRows + FlowConvLayout::kKernel - 1;
      for (int i = 0; i < count; ++i, ++row) {
        wait(empty(row), parity(row) ^ 1);
        arrive_expecting(full(row), S::kBoxBytes);
        load_box(slot(row),
                 p.source,
                 full(row),
                 0,
                 piece.x - kFlowHalo,
                 piece.pass * kRows - kFlowHalo + i,
                 piece.image);
      }
    }
    return;
  }

  float bias[2];
  for (int i = 0; i < 2; ++i) bias[i] = __ldg(p.bias + (warp * 16 + lane / 4 + 8 * i) % kOutputs);
  wait_for_previous_kernel();
  wait(weights_full, 0);
  const std::uint32_t stage = stages + static_cast<std::uint32_t>(group * S::kStageBytes);
  const bool sends = thread % 128 == 0;
  int row = 0;  // of the pixels brought, this piece's first
  for (int at = first; at < last;) {
    const FlowConvPiece piece = flow_conv_piece(p, at, last);
    at += piece.count;
    int freed = 0;  // rows of the piece that this group is done with
    const auto free_until = [&](int end) {
      for (; freed < end; ++freed) {
        wait(full(row + freed), parity(row + freed));
        if (lane == 0) arrive(empty(row + freed));
      }
    };
    for (int pass = group; pass < piece.count; pass += S::kGroups) {
      const int begin = pass * kRows;
      const bool more = pass + S::kGroups < piece.count;
      const int done = begin + (more ? S::kGroups * kRows : kInputRows);
      const int y = (piece.pass + pass) * kRows;
      float2 flow[kLanePixels];
      if constexpr (kOutputs == 2) load_base(p, piece.image, y + warp, piece.x, lane, flow);
      float sums[64];
#pragma unroll 1
      for (int i = 0; i < kInputRows; ++i) {
        wait(full(row + begin + i), parity(row + begin + i));
        const std::uint32_t pixels = slot(row + begin + i);
        begin_products();
#pragma unroll
        for (int tile = 0; tile < kLayout.tiles; ++tile) {
          const std::uint64_t weights =
              columns_descriptor(tiles + tile * S::kTileBytes, kLayout.lines * 16) +
              static_cast<std::uint64_t>(kLayout.first_line - i * kLayout.row_lines);
          std::uint64_t b;
          if constexpr (kInputs == 8) {
            b = columns_descriptor(pixels + tile * 2 * S::kPixelBytes, S::kPixelBytes);
          } else if constexpr (kOutputs == 2) {
            b = pixels_descriptor<S::kPixelBytes>(pixels);
          } else {
            constexpr int kChunks = kInputs / 16;
            b = pixels_descriptor<S::kPixelBytes>(pixels + tile / kChunks * S::kPixelBytes +
                                                  tile % kChunks * 32);
          }
          multiply_add<T>(sums, weights, b, i + tile > 0);
        }
        commit_products();
        wait_for_products<1>();
        free_until(min(begin + i, done));
      }
      wait_for_products<0>();
      fence_sums(sums);
      free_until(min(begin + kInputRows, done));

      if constexpr (kOutputs == 2) {
        auto* own = reinterpret_cast<float*>(memory + padding + warp * kFlowStageBytes);
        add_to_flow(p, sums, own, piece.image, y + warp, piece.x, lane, flow);
      } else {
        if (sends) wait_for_stores_to_read<0>();
        meet(S::kGroups == 1 ? 1 : 1 + group, 128);
        const int r = warp * 16 / kOutputs;
        write_outputs<T, kOutputs>(sums, bias, stage + r * S::kOutRowBytes, warp, lane);
        fence_shared_writes();
        meet(S::kGroups == 1 ? 1 : 1 + group, 128);
        if (sends) {
          for (int i = 0; i < kRows; ++i)
            store_box(p.out, stage + i * S::kOutRowBytes, 0, piece.x, y + i, piece.image);
          commit_stores();
        }
      }
    }
    const int rows = piece.count * kRows + FlowConvLayout::kKernel - 1;
    free_until(rows);
    row += rows;
  }
  if (sends) wait_for_stores();
#endif
}

template <typename T, int kInputs, int kOutputs>
void start(FlowConvParameters& parameters,
           int images,
           int multiprocessors,
           gpu::StreamView stream) {
  using S = Shape<kInputs, kOutputs>;
  constexpr int kRows = S::kLayout.rows;
  parameters.passes = (parameters.height + kRows - 1) / kRows;
  parameters.all = images * parameters.strips * parameters.passes;
  start_kernel_early(
      "a flow's convolution",
      flow_conv_resident_kernel<T, kInputs, kOutputs>,
      dim3(static_cast<unsigned>(std::min(multiprocessors * S::kBlocks, parameters.all))),
      S::kThreads,
      S::kSharedBytes,
      stream,
      parameters);
}

}  // namespace

template <typename T>
void launch_flow_conv_resident(int inputs,
                               FlowConvParameters& parameters,
                               int images,
                               int multiprocessors,
                               gpu::StreamView stream) {
  if (inputs == 8) return start<T, 8, 32>(parameters, images, multiprocessors, stream);
  if (inputs == 32) return start<T, 32, 16>(parameters, images, multiprocessors, stream);
  start<T, 16, 2>(parameters, images, multiprocessors, stream);
}

template void launch_flow_conv_resident<__half>(
    int, FlowConvParameters&, int, int, gpu::StreamView);
template void launch_flow_conv_resident<__nv_bfloat16>(
    int, FlowConvParameters&, int, int, gpu::StreamView);

}  // namespace vsr::kernels
