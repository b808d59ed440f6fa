#include "cuda/rows_ring.cuh"
#include "cuda/start_kernel.cuh"
#include "cuda/tensor_map.hpp"
#include "vsr/kernels/conv_rows.hpp"

namespace vsr::kernels {

// Note [Rows convolution]
// An implicit matrix product, outputs by pixels: 64 outputs x 128 pixels of one row at a time, or
// what else Note [Sums of a warpgroup] has for 32 outputs, summed over 9 taps x 64, 32 or 16
// channels. The weights of the 64 outputs stay in the registers of a warpgroup (576 x 64 values are
// 144 registers a thread), so that the tensor cores fetch pixels alone from shared memory, half of
// what it can give.
//
// A block goes down a strip of the picture, 128 pixels wide. One thread of the first warpgroup has
// the copy engine bring row after row, with a pixel more on each side, into a ring; outside the
// picture it puts zeros. The other two warpgroups make the even and the odd rows (or pairs: units),
// each reading three (or four) rows of the ring: while one of them rounds and stores its sums, the
// other has the tensor cores, see Note [Turns]. Every row is brought once.
//
// The units of all strips, images and blocks of outputs are numbered in one sequence and shared out
// evenly over as many blocks as there are multiprocessors.

namespace {

using namespace hopper;

template <typename Shape>
using Ring = RowsRing<Shape, Shape::kInputs == 64 ? 9 : 16>;

constexpr int kStages = 2;  // a warpgroup: rows on their way out, or residuals

template <typename Shape>
constexpr int kSharedBytes = Ring<Shape>::kBytes + kGroups* kStages* kSumBytes +
                             (Ring<Shape>::kBarriers + 2 * kGroups * kStages + Turns::kBarriers) *
                                 8 +
                             1024;
static_assert(kSharedBytes<RowsShape<64, 1>> <= 227 * 1024);
static_assert(kSharedBytes<RowsShape<32, 2>> <= 227 * 1024);
static_assert(kSharedBytes<RowsShape<16, 1>> <= 227 * 1024);

struct Parameters {
  CUtensorMap source;  // {channels, width, height, images}
  CUtensorMap out;     // see Place
  CUtensorMap residuals[2];
  const void* weights;
  const float* bias;
  int first_channel;
  int blocks;  // of outputs
  int images;
  int height;
  int units;  // that an image's height is made of: rows, or pairs of rows
  int strips;
  int band;          // units that one block of outputs is made for before the next one is
  int bands;         // a strip
  int place_blocks;  // of outputs that go to the same pixel; 0: no shuffle
  int row_places;    // pixels of a row that a pixel becomes
  int upwards;
  int saturate;
  float slope;
};

// A run of units [begin, end) of one strip for one block of outputs.
struct Piece {
  int block;
  int image;
  int x;
  int begin;
  int end;
};

// The piece that unit number `at` lies in, up to `until`. The sequence: images and strips, then
// bands, then blocks of outputs, then units, so that the blocks that read the same pixels run
// together.
__device__ Piece piece_at(const Parameters& p, int at, int until) {
  const int strip_units = p.blocks * p.units;
  const int column = at / strip_units;
  const int within = at % strip_units;
  const int band = min(within / (p.band * p.blocks), p.bands - 1);
  const int rest = within - band * p.band * p.blocks;
  const int units = band == p.bands - 1 ? p.units - band * p.band : p.band;
  Piece piece;
  piece.block = rest / units;
  piece.image = column / p.strips;
  piece.x = column % p.strips * kStrip;
  const int first = rest % units;
  piece.begin = band * p.band + first;
  piece.end = piece.begin + min(units - first, until - at);
  return piece;
}

// Where a unit's outputs lie in a map of the output's layout: of one row {channels, dx, width, dy,
// height * images}, of two {channels, width, height, images, 1}, since what lies below the image
// must be cut off.
struct Place {
  int at[5];
};

template <typename Shape>
__device__ Place place_of(const Parameters& p, const Piece& piece, int unit) {
  if constexpr (Shape::kRows == 2) {
    return {0, piece.x, unit * 2, piece.image, 0};
  } else {
    const int y = piece.image * p.height + unit;
    if (p.place_blocks == 0) return {piece.block * 64, 0, piece.x, 0, y};
    const int place = piece.block / p.place_blocks;
    return {
        piece.block % p.place_blocks * 64, place % p.row_places, piece.x, place / p.row_places, y};
  }
}

template <typename T, typename Shape, int kResiduals>
__global__ void __launch_bounds__(kThreads, 1)
    rows_conv_kernel(const __grid_constant__ Parameters p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ unsigned char memory[];
  const std::uint32_t base = (shared_address(memory) + 1023u) & ~1023u;
  const std::uint32_t stages = base + Ring<Shape>::kBytes;
  const std::uint32_t barriers = stages + kGroups * kStages * kSumBytes;
  const Ring<Shape> ring{base, barriers};
  // Of a warpgroup's stage: a residual has come; the row that followed it has gone.
  const auto stage_of = [&](int group, int i) { return group * kStages + i; };
  const auto stage_full = [&](int s) { return barriers + 8 * (Ring<Shape>::kBarriers + s); };
  const Turns turns{barriers + 8 * (Ring<Shape>::kBarriers + 2 * kGroups * kStages)};
  const auto stage_empty = [&](int s) {
    return barriers + 8 * (Ring<Shape>::kBarriers + kGroups * kStages + s);
  };

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

  const int all = p.images * p.strips * p.blocks * p.units;
  const auto share = [&](unsigned block) {
    return static_cast<int>(static_cast<long long>(all) * block / gridDim.x);
  };
  const int first = share(blockIdx.x);
  const int last = share(blockIdx.x + 1);
  constexpr int kRows = Shape::kRows;
  // Of a piece, counted in the direction of travel: unit i, and row i of the image, from -1.
  const auto unit_of = [&](const Piece& piece, int i) {
    return p.upwards ? piece.end - 1 - i : piece.begin + i;
  };
  const auto row_of = [&](const Piece& piece, int i) {
    return p.upwards ? piece.end * kRows - 1 - i : piece.begin * kRows + i;
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
      for (int i = -1; i <= count * kRows; ++i, ++row) {
        wait(ring.empty(row), ring.parity(row) ^ 1);
        arrive_expecting(ring.full(row), Shape::kBoxBytes);
        load_box(ring.slot(row),
                 p.source,
                 ring.full(row),
                 p.first_channel,
                 piece.x - 1,
                 row_of(piece, i),
                 piece.image);
        if (kResiduals == 0 || i < kRows || i % kRows != 0) continue;
        // What the unit whose rows are complete needs besides.
        const int unit = i / kRows - 1;
        const int group = unit & 1;
        const Place from = place_of<Shape>(p, piece, unit_of(piece, unit));
        const auto bring = [&](const CUtensorMap& map, int s, int parity) {
          wait(stage_empty(s), parity ^ 1);
          arrive_expecting(stage_full(s), kSumBytes);
          load_box(stages + s * kSumBytes,
                   map,
                   stage_full(s),
                   from.at[0],
                   from.at[1],
                   from.at[2],
                   from.at[3],
                   from.at[4]);
        };
        if constexpr (kResiduals == 1) {
          bring(p.residuals[0],
                stage_of(group, residual[group] % kStages),
                residual[group] / kStages & 1);
        } else {
          for (int j = 0; j < 2; ++j) {
            bring(p.residuals[j], stage_of(group, j), residual[group] & 1);
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
  const std::uint32_t matrices = matrix_offset<Shape>(warp, lane);
  std::uint32_t weights[Shape::kSteps][4];
  float bias[2];
  int block = -1;
  int row = 0;   // of the ring: the piece's first
  int made = 0;  // units by this group
  int turn = 0;  // of this group, which a piece gives as many as the other one
  bool waited = false;
  for (int at = first; at < last;) {
    const Piece piece = piece_at(p, at, last);
    const int count = piece.end - piece.begin;
    at += count;
    if (piece.block != block) {
      block = piece.block;
      load_weights(weights,
                   static_cast<const uint4*>(p.weights) +
                       static_cast<std::int64_t>(block) * Shape::kSteps * 128,
                   local);
      const int output = block * 64 + warp * 16 % Shape::kOutputs + lane / 4;
      bias[0] = p.bias == nullptr ? 0.0f : __ldg(p.bias + output);
      bias[1] = p.bias == nullptr ? 0.0f : __ldg(p.bias + output + 8);
    }
    if (!waited) wait_for_previous_kernel();
    waited = true;

    int freed = 0;  // rows of the piece that this group is done with
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
      constexpr int kSourceRows = Shape::kSourceRows;
      for (int j = 0; j < kSourceRows; ++j) {
        wait(ring.full(row + i * kRows + j), ring.parity(row + i * kRows + j));
      }
      turns.take(group, turn);
      convolve_rows<T, Shape>(
          sums,
          weights,
          0,
          [&](int dy) {
            return ring.slot(row + i * kRows + (p.upwards ? kSourceRows - 1 - dy : dy));
          },
          [&] { turns.pass_on(group, lane); });
      free_until(i + kGroups < count ? (i + kGroups) * kRows : count * kRows + 2);

      const int s = stage_of(group, kResiduals == 2 ? 0 : made % kStages);
      const std::uint32_t stage = stages + s * kSumBytes;
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
        const std::uint32_t at_matrices = stage + matrices + j * 16 * Shape::kOutBytes;
        float values[8];
#pragma unroll
        for (int v = 0; v < 8; ++v) values[v] = sums[8 * j + v] + bias[v / 2 % 2];
#pragma unroll
        for (int r = 0; r < kResiduals; ++r) {
          std::uint32_t residual[4];
          load_transposed(residual, at_matrices + r * kSumBytes);
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
        const Place to = place_of<Shape>(p, piece, unit_of(piece, i));
        store_box(p.out, stage, to.at[0], to.at[1], to.at[2], to.at[3], to.at[4]);
        commit_stores();
        if constexpr (kResiduals == 2) {
          wait_for_stores_to_read<0>();
          arrive(stage_empty(s));
          arrive(stage_empty(s + 1));
        }
      }
      ++made;
    }
    free_until(count * kRows + 2);
    row += count * kRows + 2;
  }
  if (local == 0) wait_for_stores();
#endif
}

template <typename T, typename Shape>
void dispatch(const RowsConvCall& call,
              const Parameters& parameters,
              int multiprocessors,
              gpu::StreamView stream) {
  const auto start = [&](auto kernel) {
    start_kernel_early("a convolution",
                       kernel,
                       dim3(static_cast<unsigned>(multiprocessors)),
                       kThreads,
                       kSharedBytes<Shape>,
                       stream,
                       parameters);
  };
  if (call.residuals[0] == nullptr) return start(rows_conv_kernel<T, Shape, 0>);
  if (call.residuals[1] == nullptr) return start(rows_conv_kernel<T, Shape, 1>);
  start(rows_conv_kernel<T, Shape, 2>);
}

template <typename T>
void dispatch(const RowsConvCall& call,
              const Parameters& parameters,
              int multiprocessors,
              gpu::StreamView stream) {
  if (call.inputs == 64)
    return dispatch<T, RowsShape<64, 1>>(call, parameters, multiprocessors, stream);
  if (call.inputs == 16)
    return dispatch<T, RowsShape<16, 1>>(call, parameters, multiprocessors, stream);
  if (rows_conv_rows(call.inputs, call.outputs) == 1)
    return dispatch<T, RowsShape<32, 1>>(call, parameters, multiprocessors, stream);
  dispatch<T, RowsShape<32, 2>>(call, parameters, multiprocessors, stream);
}

std::uint64_t unsigned_of(int value) { return static_cast<std::uint64_t>(value); }

// A map of the output's layout, written or added; see Place.
CUtensorMap out_map(const RowsConvCall& call, const void* data, ElementType type) {
  const std::uint64_t width = unsigned_of(call.width);
  const std::uint64_t height = unsigned_of(call.height);
  const std::uint64_t images = unsigned_of(call.images);
  std::uint64_t channels = unsigned_of(call.out_channels);
  if (rows_conv_rows(call.inputs, call.outputs) == 2) {
    return tensor_map({.data = data,
                       .dimensions = 5,
                       .sizes = {channels, width, height, images, 1},
                       .strides = {channels * 2,
                                   channels * 2 * width,
                                   channels * 2 * width * height,
                                   channels * 2 * width * height * images},
                       .box = {32, kStrip, 2, 1, 1}},
                      type);
  }
  // Shuffled to fewer than 64 channels, two pixels next to each other count as one.
  std::uint64_t each_x = call.shuffle ? 2 : 1;  // pixels by pixel
  const std::uint64_t each_y = each_x;
  if (call.shuffle && call.out_channels < 64) {
    channels *= 2;
    each_x = 1;
  }
  return tensor_map({.data = data,
                     .dimensions = 5,
                     .sizes = {channels, each_x, width, each_y, images * height},
                     .strides = {channels * 2,
                                 channels * 2 * each_x,
                                 channels * 2 * each_x * width,
                                 channels * 2 * each_x * width * each_y},
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
                  .box = {static_cast<std::uint32_t>(call.inputs), kBoxPixels, 1, 1}},
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
  const int rows = rows_conv_rows(call.inputs, call.outputs);
  parameters.units = (call.height + rows - 1) / rows;
  parameters.strips = (call.width + kStrip - 1) / kStrip;
  parameters.band = parameters.blocks == 1 ? parameters.units : 64;
  parameters.bands = (parameters.units + parameters.band - 1) / parameters.band;
  const bool narrow = call.out_channels < 64;  // see out_map()
  parameters.place_blocks = call.shuffle ? narrow ? 1 : call.out_channels / 64 : 0;
  parameters.row_places = narrow ? 1 : 2;
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
