#include "cuda/flow_conv.cuh"
#include "cuda/launch.hpp"
#include "cuda/start_kernel.cuh"

#include <algorithm>

namespace vsr::kernels {

// Note [Streamed weights]
// The weights of 32 -> 64 and 64 -> 32 are 196 KiB: too many to stay beside the pixels. They go
// through a ring, tile after tile, from the second-level cache, once for every pass of four rows of
// 128 pixels; two warpgroups make two rows each of them. Where a picture is so small that there
// are multiprocessors enough, one warpgroup alone makes passes of two rows, in half the time.
//
// A pass reads six rows of pixels more than it makes, which the next pass reads again. The channels
// are brought in two halves, each with a ring of its own of as many rows as a pass reads, and a
// pass goes through all tiles of the first half before those of the second: while it is at the
// second half the next pass's rows of the first come in the places of those that are done with, and
// the other way round.
//
// Beside these warpgroups there are three warps of which one thread works: one brings pixels, one
// weights, one sends off what was made. A row of 32 outputs is put together where a row of pixels
// was that the pass is done with; for rows of 64 there is room of their own.

namespace {

using namespace hopper;

template <int kInputs, int kOutputs, int kWarpgroups>
struct Shape {
  static constexpr FlowConvLayout kLayout{kInputs, kOutputs};
  static constexpr int kPixelBytes = kLayout.part * 2;
  static constexpr int kBoxPixels = kFlowStrip + FlowConvLayout::kKernel - 1;
  static constexpr int kBoxBytes = kBoxPixels * kPixelBytes;
  static constexpr int kSlotBytes =
      (kBoxBytes + 8 * kPixelBytes - 1) / (8 * kPixelBytes) * (8 * kPixelBytes);
  static constexpr int kHalves = 2;
  static_assert(kLayout.part * kHalves == kInputs);
  static constexpr int kGroups = kWarpgroups;
  static constexpr int kGroupRows = 2;
  static constexpr int kPassRows = kGroups * kGroupRows;
  static constexpr int kProducts = kGroupRows / kLayout.rows;  // 64 x 128 each, of a warpgroup
  static constexpr int kGroupInputs = kGroupRows + FlowConvLayout::kKernel - 1;
  static_assert(kGroupInputs == kLayout.input_rows + kProducts - 1);
  static constexpr int kRing = kPassRows + FlowConvLayout::kKernel - 1;
  static constexpr int kRingBytes = kHalves * kRing * kSlotBytes;
  static constexpr int kOutRowBytes = kFlowStrip * kOutputs * 2;
  static constexpr bool kStageInRing = kOutRowBytes <= kSlotBytes;
  static constexpr int kStageBytes = kStageInRing ? 0 : kPassRows * kOutRowBytes;
  static constexpr int kTileBytes = kLayout.tile_elements * 2;
  static constexpr int kMostBarrierBytes = 1024;
  static constexpr int kTileSlots =
      (kMostSharedBytes - 1024 - kMostBarrierBytes - kStageBytes - kRingBytes) / kTileBytes;
  static constexpr int kBarriers = 2 * kHalves * kRing + 2 * kTileSlots + 2 * kGroups;
  static_assert(kTileSlots >= 3 && kBarriers * 8 <= kMostBarrierBytes);
  static constexpr int kSharedBytes =
      1024 + kStageBytes + kRingBytes + kTileSlots * kTileBytes + kBarriers * 8;
  static constexpr int kThreads = 128 * (kGroups + 1);
};

template <typename T, int kInputs, int kOutputs, int kWarpgroups>
__global__ void __launch_bounds__(Shape<kInputs, kOutputs, kWarpgroups>::kThreads, 1)
    flow_conv_streamed_kernel(const __grid_constant__ FlowConvParameters p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  using S = Shape<kInputs, kOutputs, kWarpgroups>;
  constexpr FlowConvLayout kLayout = S::kLayout;
  constexpr int kTilesAHalf = kLayout.tiles_a_part;
  extern __shared__ unsigned char memory[];
  const std::uint32_t stages = (shared_address(memory) + 1023u) & ~1023u;
  const std::uint32_t ring = stages + S::kStageBytes;
  const std::uint32_t tiles = ring + S::kRingBytes;
  const std::uint32_t barriers = tiles + S::kTileSlots * S::kTileBytes;
  // By half and number of the row in the ring.
  const auto slot = [&](int half, int i) {
    return ring + static_cast<std::uint32_t>((half * S::kRing + i) * S::kSlotBytes);
  };
  const auto full = [&](int half, int i) { return barriers + 8 * (half * S::kRing + i); };
  const auto empty = [&](int half, int i) {
    return barriers + 8 * (S::kHalves * S::kRing + half * S::kRing + i);
  };
  const std::uint32_t tile_barriers = barriers + 8 * 2 * S::kHalves * S::kRing;
  const auto tile_full = [&](int i) { return tile_barriers + 8 * i; };
  const auto tile_empty = [&](int i) { return tile_barriers + 8 * (S::kTileSlots + i); };
  // A warpgroup's rows are put together; they have gone.
  const std::uint32_t stage_barriers = tile_barriers + 8 * 2 * S::kTileSlots;
  const auto staged = [&](int group) { return stage_barriers + 8 * group; };
  const auto sent = [&](int group) { return stage_barriers + 8 * (S::kGroups + group); };
  // Of row r of a warpgroup, which is number `row` of the pixels brought so far.
  const auto stage = [&](int group, int r, int row) {
    return S::kStageInRing
               ? slot(1, row % S::kRing)
               : stages + static_cast<std::uint32_t>((group * S::kGroupRows + r) * S::kOutRowBytes);
  };

  const int thread = static_cast<int>(threadIdx.x);
  constexpr int kWarps = S::kGroups * 4;
  if (thread == 0) {
    prefetch_map(p.source);
    prefetch_map(p.out);
    for (int i = 0; i < S::kHalves * S::kRing; ++i) {
      init_barrier(full(0, i), 1);
      init_barrier(empty(0, i), kWarps);
    }
    for (int i = 0; i < S::kTileSlots; ++i) {
      init_barrier(tile_full(i), 1);
      init_barrier(tile_empty(i), kWarps);
    }
    for (int group = 0; group < S::kGroups; ++group) {
      init_barrier(staged(group), 128);
      init_barrier(sent(group), 1);
    }
    fence_barriers();
  }
  __syncthreads();
  let_next_kernel_start();

  const int first = flow_conv_share(p, blockIdx.x);
  const int last = flow_conv_share(p, blockIdx.x + 1);
  const int warp = thread / 32;
  const int lane = thread % 32;

  // With one warpgroup there are registers enough for all.
  if (S::kGroups > 1 && warp >= kWarps) asm volatile("setmaxnreg.dec.sync.aligned.u32 72;\n");
  if (warp == kWarps) {
    if (lane != 0) return;
    wait_for_previous_kernel();
    int row = 0;  // brought so far, of each half
    for (int at = first; at < last;) {
      const FlowConvPiece piece = flow_conv_piece(p, at, last);
      at += piece.count;
      int brought = 0;  // of this piece
      for (int pass = 0; pass < piece.count; ++pass) {
        const int end = (pass + 1) * S::kPassRows + FlowConvLayout::kKernel - 1;
        for (int half = 0; half < S::kHalves; ++half) {
          for (int i = brought; i < end; ++i) {
            const int place = (row + i) % S::kRing;
            wait(empty(half, place), ((row + i) / S::kRing & 1) ^ 1);
            arrive_expecting(full(half, place), S::kBoxBytes);
            load_box(slot(half, place),
                     p.source,
                     full(half, place),
                     half * kLayout.part,
                     piece.x - kFlowHalo,
                     piece.pass * S::kPassRows - kFlowHalo + i,
                     piece.image);
          }
        }
        brought = end;
      }
      row += brought;
    }
    return;
  }

  if (warp == kWarps + 1) {
    if (lane != 0) return;
    int place = 0;
    int parity = 1;
    for (int at = first; at < last; ++at) {
      for (int tile = 0; tile < kLayout.tiles; ++tile) {
        wait(tile_empty(place), parity);
        arrive_expecting(tile_full(place), S::kTileBytes);
        load_bytes(tiles + static_cast<std::uint32_t>(place * S::kTileBytes),
                   p.weights + tile * S::kTileBytes,
                   S::kTileBytes,
                   tile_full(place));
        if (++place == S::kTileSlots) {
          place = 0;
          parity ^= 1;
        }
      }
    }
    return;
  }

  if (warp == kWarps + 2) {
    if (lane != 0) return;
    wait_for_previous_kernel();
    int row = 0;
    int parity = 0;
    for (int at = first; at < last;) {
      const FlowConvPiece piece = flow_conv_piece(p, at, last);
      at += piece.count;
      for (int pass = 0; pass < piece.count; ++pass) {
        for (int group = 0; group < S::kGroups; ++group) {
          wait(staged(group), parity);
          for (int r = 0; r < S::kGroupRows; ++r) {
            const int i = pass * S::kPassRows + group * S::kGroupRows + r;
            store_box(p.out,
                      stage(group, r, row + i),
                      0,
                      piece.x,
                      piece.pass * S::kPassRows + i,
                      piece.image);
          }
          commit_stores();
        }
        wait_for_stores_to_read<0>();
        if constexpr (S::kStageInRing) {
          for (int i = 0; i < S::kPassRows; ++i)
            arrive(empty(1, (row + pass * S::kPassRows + i) % S::kRing), kWarps);
        } else {
          for (int group = 0; group < S::kGroups; ++group) arrive(sent(group));
        }
        parity ^= 1;
      }
      row += piece.count * S::kPassRows + FlowConvLayout::kKernel - 1;
    }
    wait_for_stores();
    return;
  }

  if (warp > kWarps + 2) return;

  if (S::kGroups > 1) asm volatile("setmaxnreg.inc.sync.aligned.u32 216;\n");
  const int group = warp / 4;
  const int own_warp = warp % 4;
  float bias[2];
  for (int i = 0; i < 2; ++i)
    bias[i] = __ldg(p.bias + (own_warp * 16 + lane / 4 + 8 * i) % kOutputs);

  int row = 0;  // of the pixels brought, this piece's first
  int tile_place = 0;
  int tile_parity = 0;
  int sent_parity = 1;
  const auto free_rows = [&](int half, int from, int to) {
    for (int i = from; i < to; ++i) {
      wait(full(half, i % S::kRing), i / S::kRing & 1);
      if (lane == 0) arrive(empty(half, i % S::kRing));
    }
  };
  for (int at = first; at < last;) {
    const FlowConvPiece piece = flow_conv_piece(p, at, last);
    at += piece.count;
    for (int pass = 0; pass < piece.count; ++pass, row += S::kPassRows) {
      const int own = row + group * S::kGroupRows;
      const int freed_until = row + (pass + 1 == piece.count ? S::kRing : S::kPassRows);
      int previous = -1;  // place of the tile before
      float sums[S::kProducts][64];
#pragma unroll 1
      for (int half = 0; half < S::kHalves; ++half) {
        std::uint32_t rows[S::kGroupInputs];
#pragma unroll
        for (int i = 0; i < S::kGroupInputs; ++i) {
          const int place = (own + i) % S::kRing;
          rows[i] = slot(half, place);
          wait(full(half, place), (own + i) / S::kRing & 1);
        }
#pragma unroll 1
        for (int tile = 0; tile < kTilesAHalf; ++tile) {
          constexpr int kChunks = kLayout.part / 16;
          const std::uint32_t shift =
              static_cast<std::uint32_t>(tile / kChunks * S::kPixelBytes + tile % kChunks * 32);
          wait(tile_full(tile_place), tile_parity);
          const std::uint64_t weights = columns_descriptor(
              tiles + static_cast<std::uint32_t>(tile_place * S::kTileBytes), kLayout.lines * 16);
          begin_products();
#pragma unroll
          for (int i = 0; i < kLayout.input_rows; ++i) {
#pragma unroll
            for (int product = 0; product < S::kProducts; ++product) {
              multiply_add<T>(sums[product],
                              weights + kLayout.first_line - i * kLayout.row_lines,
                              pixels_descriptor<S::kPixelBytes>(rows[i + product] + shift),
                              half + tile + i > 0);
            }
          }
          commit_products();
          wait_for_products<1>();
          if (previous >= 0 && lane == 0) arrive(tile_empty(previous));
          previous = tile_place;
          if (++tile_place == S::kTileSlots) {
            tile_place = 0;
            tile_parity ^= 1;
          }
          if (half == 1 && tile == 0) free_rows(0, row, freed_until);
        }
      }
      wait_for_products<0>();
#pragma unroll
      for (int product = 0; product < S::kProducts; ++product) fence_sums(sums[product]);
      if (lane == 0) arrive(tile_empty(previous));
      if constexpr (S::kStageInRing) {
        meet(1, 128 * S::kGroups);
        free_rows(1, row + S::kPassRows, freed_until);
      } else {
        free_rows(1, row, freed_until);
        wait(sent(group), sent_parity);
        sent_parity ^= 1;
      }
#pragma unroll
      for (int product = 0; product < S::kProducts; ++product) {
        const int r = product * kLayout.rows + own_warp * 16 / kOutputs;
        write_outputs<T, kOutputs>(sums[product], bias, stage(group, r, own + r), own_warp, lane);
      }
      fence_shared_writes();
      arrive(staged(group));
    }
    row += FlowConvLayout::kKernel - 1;
  }
#endif
}

template <typename T, int kInputs, int kOutputs, int kWarpgroups>
void start(FlowConvParameters& parameters,
           int images,
           int multiprocessors,
           gpu::StreamView stream) {
  using S = Shape<kInputs, kOutputs, kWarpgroups>;
  parameters.passes = (parameters.height + S::kPassRows - 1) / S::kPassRows;
  parameters.all = images * parameters.strips * parameters.passes;
  if (kWarpgroups == 1 && parameters.all > multiprocessors)
    return start<T, kInputs, kOutputs, 2>(parameters, images, multiprocessors, stream);
  start_kernel_early("a flow's convolution",
                     flow_conv_streamed_kernel<T, kInputs, kOutputs, kWarpgroups>,
                     dim3(static_cast<unsigned>(std::min(multiprocessors, parameters.all))),
                     S::kThreads,
                     S::kSharedBytes,
                     stream,
                     parameters);
}

}  // namespace

template <typename T>
void launch_flow_conv_streamed(int inputs,
                               FlowConvParameters& parameters,
                               int images,
                               int multiprocessors,
                               gpu::StreamView stream) {
  if (inputs == 32) return start<T, 32, 64, 1>(parameters, images, multiprocessors, stream);
  start<T, 64, 32, 1>(parameters, images, multiprocessors, stream);
}

template void launch_flow_conv_streamed<__half>(
    int, FlowConvParameters&, int, int, gpu::StreamView);
template void launch_flow_conv_streamed<__nv_bfloat16>(
    int, FlowConvParameters&, int, int, gpu::StreamView);

}  // namespace vsr::kernels
