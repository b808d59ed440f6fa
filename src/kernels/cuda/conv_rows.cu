#include "cuda/hopper.cuh"
#include "cuda/launch.hpp"
#include "cuda/tensor_map.hpp"
#include "vsr/kernels/conv_rows.hpp"

#include <cuda_runtime.h>

namespace vsr::kernels {

// Note [Rows convolution]
// An implicit matrix product, outputs by pixels: 64 outputs x 128 pixels of one row at a time,
// summed over 9 taps x 64 channels. The weights of the 64 outputs stay in the registers of a
// warpgroup (576 x 64 values are 144 registers a thread), so that the tensor cores fetch pixels
// alone from shared memory, half of what it can give.
//
// A block goes down a strip of the picture, 128 pixels wide. One thread of the first warpgroup has
// the copy engine bring row after row, with a pixel more on each side, into a ring; outside the
// picture it puts zeros. The other two warpgroups make the even and the odd rows, each reading
// three rows of the ring: while one of them rounds and stores its sums, the other has the tensor
// cores. Every row is brought once.
//
// The rows of all strips, images and blocks of outputs are numbered in one sequence and shared out
// evenly over as many blocks as there are multiprocessors.

namespace {

using namespace hopper;

constexpr int kStrip = 128;             // pixels of a row at a time
constexpr int kBoxPixels = kStrip + 2;  // with one on each side
constexpr int kPixelBytes = 128;
constexpr int kBoxBytes = kBoxPixels * kPixelBytes;
constexpr int kSlotBytes = (kBoxBytes + 1023) / 1024 * 1024;
constexpr int kSlots = 9;
constexpr int kStageBytes = kStrip * kPixelBytes;  // a row on its way out, or a residual
constexpr int kStages = 2;                         // a warpgroup
constexpr int kGroups = 2;                         // warpgroups that compute
constexpr int kThreads = 128 * (1 + kGroups);
constexpr int kBarriers = 2 * kSlots + 2 * kGroups * kStages;
constexpr int kSharedBytes =
    kSlots * kSlotBytes + kGroups * kStages * kStageBytes + kBarriers * 8 + 1024;
static_assert(kSharedBytes <= 227 * 1024);
constexpr int kSteps = 36;  // of 16 products

struct Parameters {
  CUtensorMap source;  // {channels, width, height, images}
  CUtensorMap out;     // {channels, dx, width, dy, height * images}
  CUtensorMap residuals[2];
  const void* weights;
  const float* bias;
  int first_channel;
  int blocks;  // of outputs
  int images;
  int height;
  int width;
  int strips;
  int band;   // rows that one block of outputs is made for before the next one is
  int bands;  // a strip
  int shuffle;
  int upwards;
  int saturate;
  float slope;
};

// A run of rows [begin, end) of one strip for one block of outputs.
struct Piece {
  int block;
  int image;
  int x;
  int begin;
  int end;
};

// The piece that row number `at` lies in, up to `until`. The sequence: images and strips, then
// bands, then blocks of outputs, then rows, so that the blocks that read the same pixels run
// together.
__device__ Piece piece_at(const Parameters& p, int at, int until) {
  const int strip_rows = p.blocks * p.height;
  const int column = at / strip_rows;
  const int within = at % strip_rows;
  const int band = min(within / (p.band * p.blocks), p.bands - 1);
  const int rest = within - band * p.band * p.blocks;
  const int rows = band == p.bands - 1 ? p.height - band * p.band : p.band;
  Piece piece;
  piece.block = rest / rows;
  piece.image = column / p.strips;
  piece.x = column % p.strips * kStrip;
  const int first = rest % rows;
  piece.begin = band * p.band + first;
  piece.end = piece.begin + min(rows - first, until - at);
  return piece;
}

template <typename T>
struct Pair;

template <>
struct Pair<__half> {
  // An infinity would be no number two layers on.
  static __device__ std::uint32_t narrow(float low, float high, bool saturate) {
    __half2 both = __floats2half2_rn(low, high);
    if (saturate) {
      both = __hmin2(__hmax2(both, __float2half2_rn(-65504.0f)), __float2half2_rn(65504.0f));
    }
    return *reinterpret_cast<const std::uint32_t*>(&both);
  }

  static __device__ float2 widen(std::uint32_t both) {
    return __half22float2(*reinterpret_cast<const __half2*>(&both));
  }
};

template <>
struct Pair<__nv_bfloat16> {
  static __device__ std::uint32_t narrow(float low, float high, bool) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&both);
  }

  static __device__ float2 widen(std::uint32_t both) {
    return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&both));
  }
};

template <typename T, int kResiduals>
__global__ void __launch_bounds__(kThreads, 1)
    rows_conv_kernel(const __grid_constant__ Parameters p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ unsigned char memory[];
  const std::uint32_t base = (shared_address(memory) + 1023u) & ~1023u;
  const std::uint32_t stages = base + kSlots * kSlotBytes;
  const std::uint32_t barriers = stages + kGroups * kStages * kStageBytes;
  const auto slot = [&](int row) { return base + row % kSlots * kSlotBytes; };
  const auto full = [&](int row) { return barriers + 8 * (row % kSlots); };
  const auto empty = [&](int row) { return barriers + 8 * (kSlots + row % kSlots); };
  const auto parity = [](int row) { return row / kSlots & 1; };
  // Of a warpgroup's stage: a residual has come; the row that followed it has gone.
  const auto stage_of = [&](int group, int i) { return group * kStages + i; };
  const auto stage_full = [&](int s) { return barriers + 8 * (2 * kSlots + s); };
  const auto stage_empty = [&](int s) {
    return barriers + 8 * (2 * kSlots + kGroups * kStages + s);
  };

  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) {
    for (int i = 0; i < kSlots; ++i) {
      init_barrier(full(i), 1);
      init_barrier(empty(i), kGroups * 4);  // a lane of each warp
    }
    for (int s = 0; s < kGroups * kStages; ++s) {
      init_barrier(stage_full(s), 1);
      init_barrier(stage_empty(s), 1);
    }
    fence_barriers();
  }
  __syncthreads();
  let_next_kernel_start();

  const int all = p.images * p.strips * p.blocks * p.height;
  const auto share = [&](unsigned block) {
    return static_cast<int>(static_cast<long long>(all) * block / gridDim.x);
  };
  const int first = share(blockIdx.x);
  const int last = share(blockIdx.x + 1);
  // Row i of a piece, counted in the direction of travel, from -1.
  const auto row_of = [&](const Piece& piece, int i) {
    return p.upwards ? piece.end - 1 - i : piece.begin + i;
  };

  if (thread < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;\n");
    if (thread != 0) return;
    wait_for_previous_kernel();
    int row = 0;                     // brought so far
    int residual[kGroups] = {0, 0};  // likewise, by group
    for (int at = first; at < last;) {
      const Piece piece = piece_at(p, at, last);
      const int count = piece.end - piece.begin;
      at += count;
      for (int i = -1; i <= count; ++i, ++row) {
        wait(empty(row), parity(row) ^ 1);
        arrive_expecting(full(row), kBoxBytes);
        load_box(slot(row),
                 p.source,
                 full(row),
                 p.first_channel,
                 piece.x - 1,
                 row_of(piece, i),
                 piece.image);
        if (kResiduals == 0 || i < 1) continue;
        // What the row before last needs besides.
        const int out = i - 1;
        const int group = out & 1;
        const int y = piece.image * p.height + row_of(piece, out);
        if constexpr (kResiduals == 1) {
          const int s = stage_of(group, residual[group] % kStages);
          wait(stage_empty(s), (residual[group] / kStages & 1) ^ 1);
          arrive_expecting(stage_full(s), kStageBytes);
          load_box(stages + s * kStageBytes,
                   p.residuals[0],
                   stage_full(s),
                   piece.block * 64,
                   0,
                   piece.x,
                   0,
                   y);
        } else {
          for (int j = 0; j < 2; ++j) {
            const int s = stage_of(group, j);
            wait(stage_empty(s), (residual[group] & 1) ^ 1);
            arrive_expecting(stage_full(s), kStageBytes);
            load_box(stages + s * kStageBytes,
                     p.residuals[j],
                     stage_full(s),
                     piece.block * 64,
                     0,
                     piece.x,
                     0,
                     y);
          }
        }
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
  // Of this lane, for 8x8 matrices that hold this warp's 16 outputs of 16 pixels.
  const std::uint32_t matrix_offset = static_cast<std::uint32_t>(
      (lane / 16 * 8 + lane % 8) * kPixelBytes + (((2 * warp + lane / 8 % 2) ^ (lane % 8)) << 4));
  std::uint32_t weights[kSteps][4];
  float bias[2];
  int block = -1;
  int row = 0;   // of the ring: the piece's first
  int made = 0;  // rows by this group
  bool waited = false;
  for (int at = first; at < last;) {
    const Piece piece = piece_at(p, at, last);
    const int count = piece.end - piece.begin;
    at += count;
    if (piece.block != block) {
      block = piece.block;
      const auto* from =
          static_cast<const uint4*>(p.weights) + static_cast<std::int64_t>(block) * kSteps * 128;
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const uint4 four = __ldg(from + step * 128 + local);
        weights[step][0] = four.x;
        weights[step][1] = four.y;
        weights[step][2] = four.z;
        weights[step][3] = four.w;
      }
      const int output = block * 64 + warp * 16 + lane / 4;
      bias[0] = p.bias == nullptr ? 0.0f : __ldg(p.bias + output);
      bias[1] = p.bias == nullptr ? 0.0f : __ldg(p.bias + output + 8);
    }
    if (!waited) wait_for_previous_kernel();
    waited = true;

    int freed = 0;  // rows of the piece that this group is done with
    const auto free_until = [&](int end) {
      for (; freed < end; ++freed) {
        wait(full(row + freed), parity(row + freed));
        if (lane == 0) arrive(empty(row + freed));
      }
    };
    for (int i = group; i < count; i += kGroups) {
      float sums[64];
      for (int j = 0; j < 3; ++j) wait(full(row + i + j), parity(row + i + j));
      begin_products();
#pragma unroll
      for (int dy = 0; dy < 3; ++dy) {
        const int j = p.upwards ? 2 - dy : dy;
        const std::uint64_t pixels = rows_descriptor(slot(row + i + j));
#pragma unroll
        for (int step = 0; step < 12; ++step) {
          multiply_add<T>(sums,
                          weights[dy * 12 + step],
                          pixels + step / 4 * (kPixelBytes >> 4) + step % 4 * 2,
                          dy + step > 0);
        }
      }
      commit_products();
      wait_for_products<0>();
      fence_sums(sums);
      free_until(i + kGroups < count ? i + kGroups : count + 2);

      const int s = stage_of(group, kResiduals == 2 ? 0 : made % kStages);
      const std::uint32_t stage = stages + s * kStageBytes;
      // Where residuals come by the copy engine, the stage is known to be free when they have.
      if constexpr (kResiduals == 0) {
        if (local == 0) wait_for_stores_to_read<kStages - 1>();
        meet(1 + group, 128);
      } else if constexpr (kResiduals == 1) {
        if (local == 0 && made > 0) {
          wait_for_stores_to_read<0>();
          arrive(stage_empty(stage_of(group, (made + 1) % kStages)));
        }
        wait(stage_full(s), made / kStages & 1);
      } else {
        wait(stage_full(s), made & 1);
        wait(stage_full(s + 1), made & 1);
      }
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const std::uint32_t at_matrices = stage + matrix_offset + j * 16 * kPixelBytes;
        float values[8];
#pragma unroll
        for (int v = 0; v < 8; ++v) values[v] = sums[8 * j + v] + bias[v / 2 % 2];
#pragma unroll
        for (int r = 0; r < kResiduals; ++r) {
          std::uint32_t residual[4];
          load_transposed(residual, at_matrices + r * kStageBytes);
#pragma unroll
          for (int v = 0; v < 4; ++v) {
            const float2 both = Pair<T>::widen(residual[v]);
            values[2 * v] += both.x;
            values[2 * v + 1] += both.y;
          }
        }
        std::uint32_t narrow[4];
#pragma unroll
        for (int v = 0; v < 4; ++v) {
          const float low = fmaxf(values[2 * v], values[2 * v] * p.slope);
          const float high = fmaxf(values[2 * v + 1], values[2 * v + 1] * p.slope);
          narrow[v] = Pair<T>::narrow(low, high, p.saturate != 0);
        }
        store_transposed(at_matrices, narrow);
      }
      fence_shared_writes();
      meet(1 + group, 128);
      if (local == 0) {
        const int y = piece.image * p.height + row_of(piece, i);
        if (p.shuffle) {
          store_box(p.out, stage, 0, block & 1, piece.x, block >> 1, y);
        } else {
          store_box(p.out, stage, block * 64, 0, piece.x, 0, y);
        }
        commit_stores();
        if constexpr (kResiduals == 2) {
          wait_for_stores_to_read<0>();
          arrive(stage_empty(s));
          arrive(stage_empty(s + 1));
        }
      }
      ++made;
    }
    free_until(count + 2);
    row += count + 2;
  }
  if (local == 0) wait_for_stores();
#endif
}

template <typename T, int kResiduals>
void start(const Parameters& parameters, int multiprocessors, gpu::StreamView stream) {
  const LaunchDevice device(stream.device);
  const auto kernel = rows_conv_kernel<T, kResiduals>;
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(multiprocessors));
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = kSharedBytes;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  config.attrs = &attribute;
  config.numAttrs = 1;
  cudaLaunchKernelEx(&config, kernel, parameters);
  check_launch("a convolution");
}

template <typename T>
void dispatch(const RowsConvCall& call,
              const Parameters& parameters,
              int multiprocessors,
              gpu::StreamView stream) {
  if (call.residuals[0] == nullptr) return start<T, 0>(parameters, multiprocessors, stream);
  if (call.residuals[1] == nullptr) return start<T, 1>(parameters, multiprocessors, stream);
  start<T, 2>(parameters, multiprocessors, stream);
}

std::uint64_t unsigned_of(int value) { return static_cast<std::uint64_t>(value); }

// A map of the output's layout, written or added.
CUtensorMap out_map(const RowsConvCall& call, const void* data, ElementType type) {
  const std::uint64_t channels = unsigned_of(call.out_channels);
  const std::uint64_t width = unsigned_of(call.width);
  const std::uint64_t rows = unsigned_of(call.images) * unsigned_of(call.height);
  const std::uint64_t each = call.shuffle ? 2 : 1;  // pixels by pixel, each way
  return tensor_map({.data = data,
                     .dimensions = 5,
                     .sizes = {channels, each, width, each, rows},
                     .strides = {channels * 2,
                                 channels * 2 * each,
                                 channels * 2 * each * width,
                                 channels * 2 * each * width * each},
                     .box = {64, 1, kStrip, 1, 1}},
                    type);
}

}  // namespace

bool has_rows_conv(int device) {
  int major = 0;
  int minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  return major == 9 && minor == 0;
}

void launch_rows_conv(const RowsConvCall& call, ElementType type, gpu::StreamView stream) {
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, stream.device);
  const std::uint64_t channels = unsigned_of(call.source_channels);
  const std::uint64_t width = unsigned_of(call.width);
  const std::uint64_t height = unsigned_of(call.height);
  Parameters parameters{};
  parameters.source =
      tensor_map({.data = call.source,
                  .dimensions = 4,
                  .sizes = {channels, width, height, unsigned_of(call.images)},
                  .strides = {channels * 2, channels * 2 * width, channels * 2 * width * height},
                  .box = {64, kBoxPixels, 1, 1}},
                 type);
  parameters.out = out_map(call, call.out, type);
  for (int i = 0; i < 2; ++i) {
    if (call.residuals[i] != nullptr) {
      parameters.residuals[i] = out_map(call, call.residuals[i], type);
    }
  }
  parameters.weights = call.weights;
  parameters.bias = call.bias;
  parameters.first_channel = call.first_channel;
  parameters.blocks = rows_conv_blocks(call.outputs);
  parameters.images = call.images;
  parameters.height = call.height;
  parameters.width = call.width;
  parameters.strips = (call.width + kStrip - 1) / kStrip;
  parameters.band = parameters.blocks == 1 ? call.height : 64;
  parameters.bands = (call.height + parameters.band - 1) / parameters.band;
  parameters.shuffle = call.shuffle ? 1 : 0;
  parameters.upwards = call.upwards ? 1 : 0;
  parameters.saturate = call.saturate ? 1 : 0;
  parameters.slope = call.slope;
  if (type == ElementType::kHalf)
    return dispatch<__half>(call, parameters, multiprocessors, stream);
  if (type == ElementType::kBfloat16) {
    return dispatch<__nv_bfloat16>(call, parameters, multiprocessors, stream);
  }
  refuse("convolutions on tensor cores take half or bfloat16");
}

}  // namespace vsr::kernels
