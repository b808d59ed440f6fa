#include "cuda/launch.hpp"
#include "cuda/rows_ring.cuh"
#include "cuda/start_kernel.cuh"
#include "e4m3_rows.hpp"

#include <cudaTypedefs.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <cstdint>

// A pixel of 64 values of e4m3 is as wide as one of 32 halves, so ring, steps and turns are those
// of RowsShape<32, 1>; a step multiplies 32 channels in place of 16. The weights take half as many
// registers: those of two sources fit, whose sums then need not go through memory.
namespace vsr::kernels::hopper {

// clang-format off
#define VSR_SUMS_4(i) "+f"(sums[i]), "+f"(sums[(i) + 1]), "+f"(sums[(i) + 2]), "+f"(sums[(i) + 3])
#define VSR_SUMS_16(i) VSR_SUMS_4(i), VSR_SUMS_4((i) + 4), VSR_SUMS_4((i) + 8), VSR_SUMS_4((i) + 12)
// sums (64 x 128) = a (64 x 32, in registers) * b (32 x 128, a descriptor). The tensor cores add up
// with fewer bits than fp32 has: results are off by up to 4e-4 of their terms' sizes, as seen.
template <>
__device__ inline void multiply_add<__nv_fp8_e4m3>(
    float (&sums)[64], const std::uint32_t (&a)[4], std::uint64_t b, bool add) {
  asm volatile(
      "{\n"
      ".reg .pred add;\n"
      "setp.ne.b32 add, %69, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
      "}, {%64, %65, %66, %67}, %68, add, 1, 1;\n"
      "}\n"
      : VSR_SUMS_16(0), VSR_SUMS_16(16), VSR_SUMS_16(32), VSR_SUMS_16(48)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));
}
#undef VSR_SUMS_16
#undef VSR_SUMS_4
// clang-format on

}  // namespace vsr::kernels::hopper

namespace vsr::kernels::e4m3 {

namespace {

using namespace hopper;

using Shape = RowsShape<32, 1>;
static_assert(Shape::kSteps == kSteps && Shape::kOutBytes == 128);

constexpr int kStages = 2;                // a warpgroup
constexpr int kSmallBytes = 64 * kStrip;  // 64 x kStrip sums, rounded to e4m3

template <Ending kEnding>
constexpr bool kAdds = (kEnding & kAddHalves) != 0;
template <Ending kEnding>
constexpr bool kWritesHalves = (kEnding & kWriteHalves) != 0;
template <Ending kEnding>
constexpr bool kWritesSmall = (kEnding & kWriteSmall) != 0;

// Of a stage: halves first, then e4m3.
template <Ending kEnding>
constexpr int kHalvesBytes = kAdds<kEnding> || kWritesHalves<kEnding> ? kSumBytes : 0;
template <Ending kEnding>
constexpr int kStageBytes = kHalvesBytes<kEnding> + (kWritesSmall<kEnding> ? kSmallBytes : 0);

// A row of the ring has that row of each source.
template <int kSources>
struct Rows : Shape {
  static constexpr int kSlotBytes = kSources * Shape::kSlotBytes;
};

template <int kSources>
using Ring = RowsRing<Rows<kSources>, kSources == 1 ? 12 : 7>;

template <Ending kEnding, int kSources>
constexpr int kSharedBytes =
    Ring<kSources>::kBytes + kGroups* kStages* kStageBytes<kEnding> +
    (Ring<kSources>::kBarriers + 2 * kGroups * kStages + Turns::kBarriers) * 8 + 1024;
static_assert(kSharedBytes<kTrunk, 2> <= 227 * 1024);

struct Parameters {
  CUtensorMap sources[2];
  CUtensorMap small;
  CUtensorMap halves;
  const void* weights;
  const float* scale;
  const float* bias;
  float small_scale;
  float slope;
  int blocks;  // of 64 outputs
  int height;
  int strips;
  int band;  // rows that one block of outputs is made for before the next one is
  int bands;
  int shuffle;
  int upwards;
};

// Rows [begin, end) of a strip for one block of outputs; the sequence is that of conv_rows.cu.
struct Piece {
  int block;
  int x;
  int begin;
  int end;
};

__device__ Piece piece_at(const Parameters& p, int at, int until) {
  const int strip_units = p.blocks * p.height;
  const int column = at / strip_units;
  const int within = at % strip_units;
  const int band = min(within / (p.band * p.blocks), p.bands - 1);
  const int rest = within - band * p.band * p.blocks;
  const int units = band == p.bands - 1 ? p.height - band * p.band : p.band;
  Piece piece;
  piece.block = rest / units;
  piece.x = column * kStrip;
  const int first = rest % units;
  piece.begin = band * p.band + first;
  piece.end = piece.begin + min(units - first, until - at);
  return piece;
}

__device__ std::uint32_t small_pair(float low, float high) {
  return __nv_cvt_float2_to_fp8x2(make_float2(low, high), __NV_SATFINITE, __NV_E4M3);
}

template <Ending kEnding, int kSources>
__global__ void __launch_bounds__(kThreads, 1) rows_kernel(const __grid_constant__ Parameters p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ unsigned char memory[];
  const std::uint32_t base = (shared_address(memory) + 1023u) & ~1023u;
  const std::uint32_t stages = base + Ring<kSources>::kBytes;
  const std::uint32_t barriers = stages + kGroups * kStages * kStageBytes<kEnding>;
  const Ring<kSources> ring{base, barriers};
  const auto stage_of = [&](int group, int i) { return group * kStages + i; };
  const auto stage_full = [&](int s) { return barriers + 8 * (Ring<kSources>::kBarriers + s); };
  const auto stage_empty = [&](int s) {
    return barriers + 8 * (Ring<kSources>::kBarriers + kGroups * kStages + s);
  };
  const Turns turns{barriers + 8 * (Ring<kSources>::kBarriers + 2 * kGroups * kStages)};
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) {
    ring.init();
    turns.init();
    for (int s = 0; s < kGroups * kStages; ++s) {
      init_barrier(stage_full(s), 1);
      init_barrier(stage_empty(s), 1);
    }
    fence_barriers();
  }
  __syncthreads();
  let_next_kernel_start();
  const int all = p.strips * p.blocks * p.height;
  const auto share = [&](unsigned block) {
    return static_cast<int>(static_cast<long long>(all) * block / gridDim.x);
  };
  const int first = share(blockIdx.x);
  const int last = share(blockIdx.x + 1);
  const auto unit_of = [&](const Piece& piece, int i) {
    return p.upwards ? piece.end - 1 - i : piece.begin + i;
  };

  if (thread < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;\n");
    if (thread != 0) return;
    wait_for_previous_kernel();
    int row = 0;
    int residual[kGroups] = {0, 0};
    for (int at = first; at < last;) {
      const Piece piece = piece_at(p, at, last);
      const int count = piece.end - piece.begin;
      at += count;
      for (int i = -1; i <= count; ++i, ++row) {
        wait(ring.empty(row), ring.parity(row) ^ 1);
        arrive_expecting(ring.full(row), kSources * Shape::kBoxBytes);
        for (int s = 0; s < kSources; ++s) {
          load_box(ring.slot(row) + s * Shape::kSlotBytes,
                   p.sources[s],
                   ring.full(row),
                   0,
                   piece.x - 1,
                   unit_of(piece, i),
                   0);
        }
        if (!kAdds<kEnding> || i < 1) continue;
        const int group = (i - 1) & 1;
        const int s = stage_of(group, residual[group] % kStages);
        wait(stage_empty(s), (residual[group] / kStages & 1) ^ 1);
        arrive_expecting(stage_full(s), kSumBytes);
        load_box(stages + s * kStageBytes<kEnding>,
                 p.halves,
                 stage_full(s),
                 0,
                 0,
                 piece.x,
                 0,
                 unit_of(piece, i - 1));
        ++residual[group];
      }
    }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 240;\n");
  const int group = thread / 128 - 1;
  const int local = thread % 128;
  const int warp = local / 32;
  const int lane = local % 32;
  const std::uint32_t matrices = matrix_offset<Shape>(warp, lane);
  std::uint32_t weights[kSources * kSteps][4];
  float scale[2];
  float bias[2];
  int block = -1;
  int row = 0;
  int made = 0;
  int turn = 0;
  bool waited = false;
  for (int at = first; at < last;) {
    const Piece piece = piece_at(p, at, last);
    const int count = piece.end - piece.begin;
    at += count;
    if (piece.block != block) {
      block = piece.block;
      load_weights(weights,
                   static_cast<const uint4*>(p.weights) +
                       static_cast<std::int64_t>(block) * kSources * kSteps * 128,
                   local);
      const int output = block * 64 + warp * 16 + lane / 4;
      for (int i = 0; i < 2; ++i) {
        scale[i] = __ldg(p.scale + output + 8 * i);
        bias[i] = __ldg(p.bias + output + 8 * i);
      }
    }
    if (!waited) wait_for_previous_kernel();
    waited = true;
    int freed = 0;
    const auto free_until = [&](int end) {
      for (; freed < end; ++freed) {
        wait(ring.full(row + freed), ring.parity(row + freed));
        if (lane == 0) arrive(ring.empty(row + freed));
      }
    };
    for (int i = group; i < count + count % kGroups; i += kGroups, ++turn) {
      if (i == count) {
        turns.take(group, turn);
        turns.pass_on(group, lane);
        continue;
      }
      float sums[64];
      for (int j = 0; j < 3; ++j) wait(ring.full(row + i + j), ring.parity(row + i + j));
      turns.take(group, turn);
      begin_products();
#pragma unroll
      for (int dy = 0; dy < 3; ++dy) {
        const std::uint64_t pixels =
            pixels_descriptor<64>(ring.slot(row + i + (p.upwards ? 2 - dy : dy)));
#pragma unroll
        for (int step = 0; step < kSources * 6; ++step) {
          const std::uint64_t here =
              pixels + step / 6 * (Shape::kSlotBytes >> 4) + step % 6 / 2 * 4 + step % 2 * 2;
          multiply_add<__nv_fp8_e4m3>(
              sums, weights[step / 6 * kSteps + dy * 6 + step % 6], here, dy + step > 0);
        }
      }
      commit_products();
      turns.pass_on(group, lane);
      wait_for_products<0>();
      fence_sums(sums);
      free_until(i + kGroups < count ? i + kGroups : count + 2);

      const int s = stage_of(group, made % kStages);
      const std::uint32_t stage = stages + s * kStageBytes<kEnding>;
      if constexpr (!kAdds<kEnding>) {
        if (local == 0) wait_for_stores_to_read<kStages - 1>();
        meet(1 + group, 128);
      } else {
        if (local == 0 && made > 0) {
          wait_for_stores_to_read<0>();
          arrive(stage_empty(stage_of(group, (made + 1) % kStages)));
        }
        wait(stage_full(s), made / kStages & 1);
      }
      // Thirty-two pixels at a time: four matrices of e4m3, eight of halves.
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        std::uint32_t small[4];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float values[8];
#pragma unroll
          for (int v = 0; v < 8; ++v) {
            values[v] = fmaf(sums[16 * j + 8 * half + v], scale[v / 2 % 2], bias[v / 2 % 2]);
          }
          const std::uint32_t here = stage + matrices + (2 * j + half) * 16 * Shape::kOutBytes;
          if constexpr (kAdds<kEnding>) {
            std::uint32_t residual[4];
            load_transposed(residual, here);
#pragma unroll
            for (int v = 0; v < 4; ++v) {
              const float2 both = Pair<__half>::widen(residual[v]);
              values[2 * v] += both.x;
              values[2 * v + 1] += both.y;
            }
          }
          if constexpr (kWritesHalves<kEnding>) {
            std::uint32_t narrow[4];
#pragma unroll
            for (int v = 0; v < 4; ++v) {
              narrow[v] = Pair<__half>::narrow(values[2 * v], values[2 * v + 1], false);
            }
            store_transposed(here, narrow);
          }
          if constexpr (kWritesSmall<kEnding>) {
#pragma unroll
            for (int v = 0; v < 8; ++v) {
              // Where e4m3 is all there is, its scale is in `scale` and `bias`.
              if (kHalvesBytes < kEnding >> 0) values[v] *= p.small_scale;
              if (!kWritesHalves<kEnding>) values[v] = fmaxf(values[v], values[v] * p.slope);
            }
#pragma unroll
            for (int m = 0; m < 2; ++m) {
              const float* const v = values + 4 * m;
              small[2 * half + m] = small_pair(v[0], v[2]) | small_pair(v[1], v[3]) << 16;
            }
          }
        }
        if constexpr (kWritesSmall<kEnding>) {
          store_transposed(stage + kHalvesBytes<kEnding> +
                               static_cast<std::uint32_t>(swizzled<64>(32 * j + lane, warp)),
                           small);
        }
      }
      fence_shared_writes();
      meet(1 + group, 128);
      if (local == 0) {
        const int y = unit_of(piece, i);
        if constexpr (kWritesHalves<kEnding>) {
          store_box(p.halves, stage, piece.block * 64, 0, piece.x, 0, y);
        }
        if constexpr (kWritesSmall<kEnding>) {
          store_box(p.small,
                    stage + kHalvesBytes<kEnding>,
                    p.shuffle ? 0 : piece.block * 64,
                    p.shuffle ? piece.block % 2 : 0,
                    piece.x,
                    p.shuffle ? piece.block / 2 : 0,
                    y);
        }
        commit_stores();
      }
      ++made;
    }
    free_until(count + 2);
    row += count + 2;
  }
  if (local == 0) wait_for_stores();
#endif
}

// The copy engine's description of a map, with the swizzle of its box's width.
CUtensorMap map_of(const void* data,
                   int bytes,
                   int dimensions,
                   const cuuint64_t (&sizes)[5],
                   const cuuint32_t (&box)[5]) {
  static const auto encode = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    cudaGetDriverEntryPointByVersion(
        "cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result);
    check_launch("the copy engine");
    if (found == nullptr) refuse("the driver is too old for the copy engine");
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(found);
  }();
  cuuint64_t strides[4];
  auto stride = static_cast<cuuint64_t>(bytes);
  for (int i = 0; i < 4; ++i) strides[i] = stride *= sizes[i];
  const cuuint32_t steps[5] = {1, 1, 1, 1, 1};
  CUtensorMap map;
  const CUresult status =
      encode(&map,
             bytes == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
             static_cast<cuuint32_t>(dimensions),
             const_cast<void*>(data),
             sizes,
             strides,
             box,
             steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE,
             bytes == 1 ? CU_TENSOR_MAP_SWIZZLE_64B : CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) refuse("the driver refused a map for the copy engine");
  return map;
}

template <Ending kEnding>
void start(const Call& call, const Parameters& parameters) {
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0);
  const auto with = [&](auto kernel, int shared_bytes) {
    start_kernel_early("a convolution in e4m3",
                       kernel,
                       dim3(static_cast<unsigned>(multiprocessors)),
                       kThreads,
                       static_cast<std::size_t>(shared_bytes),
                       gpu::StreamView{nullptr, 0},
                       parameters);
  };
  if (call.sources[1] == nullptr) return with(rows_kernel<kEnding, 1>, kSharedBytes<kEnding, 1>);
  with(rows_kernel<kEnding, 2>, kSharedBytes<kEnding, 2>);
}

}  // namespace

void launch(const Call& call) {
  const auto width = static_cast<cuuint64_t>(call.width);
  const auto height = static_cast<cuuint64_t>(call.height);
  Parameters p{};
  for (int s = 0; s < 2; ++s) {
    if (call.sources[s] == nullptr) continue;
    p.sources[s] = map_of(call.sources[s], 1, 4, {64, width, height, 1, 1}, {64, kBoxPixels, 1, 1});
  }
  const auto out_map = [&](const void* data, int bytes) {
    const cuuint64_t each = call.shuffle ? 2 : 1;
    const cuuint64_t channels = call.shuffle ? 64 : static_cast<cuuint64_t>(call.outputs);
    return map_of(data, bytes, 5, {channels, each, width, each, height}, {64, 1, kStrip, 1, 1});
  };
  if (call.small != nullptr) p.small = out_map(call.small, 1);
  if (call.halves != nullptr) p.halves = out_map(call.halves, 2);
  p.weights = call.weights;
  p.scale = call.scale;
  p.bias = call.bias;
  p.small_scale = call.small_scale;
  p.slope = call.slope;
  p.blocks = (call.outputs + 63) / 64;
  p.height = call.height;
  p.strips = (call.width + kStrip - 1) / kStrip;
  p.band = p.blocks == 1 ? p.height : 64;
  p.bands = (p.height + p.band - 1) / p.band;
  p.shuffle = call.shuffle ? 1 : 0;
  p.upwards = call.upwards ? 1 : 0;
  if (call.ending == kSmall) return start<kSmall>(call, p);
  if (call.ending == kHalves) return start<kHalves>(call, p);
  if (call.ending == kFirst) return start<kFirst>(call, p);
  if (call.ending == kResidual) return start<kResidual>(call, p);
  if (call.ending == kTrunk) return start<kTrunk>(call, p);
  if (call.ending == kLastPass) return start<kLastPass>(call, p);
  refuse("a convolution in e4m3 writes something");
}

}  // namespace vsr::kernels::e4m3
