#include "cuda/rows_ring.cuh"
#include "cuda/start_kernel.cuh"
#include "cuda/tensor_map.hpp"
#include "cuda/warp.cuh"
#include "vsr/kernels/conv_rows.hpp"
#include "vsr/kernels/residual_block.hpp"

namespace vsr::kernels {

// Note [Residual block]
// Both convolutions go as in Note [Rows convolution], down one strip of the picture, each by a
// warpgroup of its own, which keeps its weights in registers. The first one makes rows of what lies
// between ("between"), rounded, under the swizzle, into a ring in shared memory. The second one
// makes the output from three of these, adds the row of the source, which the ring still has from
// the first convolution, and stores.
//
// The strip is 128 pixels wide. Its outer pixels ask for one more of between on each side: 130,
// and products come by eights, so 136, of which the last six are rubbish and looked at by nobody.
// (Strips of 126 that follow from 128 pixels of between would be nine in a picture of 1024, the
// last of 16 pixels: 12% more products in place of 3%.) Likewise a run of rows, a piece, takes two
// rows more of between. Where they lie outside the picture they are zeros, not what the convolution
// of zeros is.
//
// Note [Rows of a block]
// Everything in a piece is counted in the direction of travel. Of n rows of output, output j is
// made from rows j, j + 1, j + 2 of between (n + 2), and row i of these from rows i, i + 1, i + 2
// of the source (n + 4). Row 0 of the output lies at row 1 of between and at row 2 of the source.
// In the rings the pieces' rows follow each other.
//
// The second warpgroup has a step for each row of between, when that is there. From the third of a
// piece on a step makes a row of output. Row i of between being there tells that rows up to i of
// the source have served the first convolution; so it is the second warpgroup alone that gives rows
// of the source free: row i, its residual, at the end of step i, and with the last step the two
// beyond. Row i of between is free after step i + 2, or after the last.
//
// Note [Steps alternate]
// The warpgroups take turns, see Note [Turns]: the tensor cores get between's row r, then step
// r - 1, then row r + 1, then step r. So a step lags by one, and the row that it waits for is
// rounded and stored while they are at the step before. Hence the second warpgroup begins with a
// turn for nothing, and the first one ends with such a turn. What each waits for:
// - Step r: row r of between, and its turn, that is row r + 1 being queued.
// - Row r: its turn, that is step r - 2 being queued; row r + 2 of the source. This comes where row
//   r - 5 was, which is free since the end of step r - 5, three turns before. (Each piece has two
//   rows of the source more than rows of between, given free at its end: the next one's first rows
//   wait for the ends of steps up to r - 3.)
// - Row r's rounding: the place of row r - 4, free when step r - 2 has its products.
// All of this lies behind in the order of turns, so there is always somebody who can go on; and but
// for a piece's ends nobody has to wait for long.

namespace {

using namespace hopper;

constexpr int kChannels = kResidualBlockChannels;
using Shape = RowsShape<kChannels, 1>;
using SourceRing = RowsRing<Shape, 7>;
using BetweenRing = RowsRing<Shape, 4>;

constexpr int kPixelBytes = kChannels * 2;
constexpr int kBetweenPixels = kStrip + 8;  // kStrip + 2 of them count
constexpr int kSourcePixels = kStrip + 4;
constexpr int kSourceBytes = kSourcePixels * kPixelBytes;
static_assert(kSourceBytes <= Shape::kSlotBytes);
static_assert(kBetweenPixels * kPixelBytes <= Shape::kSlotBytes);

constexpr int kStages = 2;  // rows on their way out, or of what is added besides
constexpr int kBarriers =
    SourceRing::kBarriers + BetweenRing::kBarriers + Turns::kBarriers + 2 * kStages;
constexpr int kSharedBytes =
    SourceRing::kBytes + BetweenRing::kBytes + kStages * kSumBytes + kBarriers * 8 + 1024;
static_assert(kSharedBytes <= 227 * 1024);

enum Group { kFirst, kSecond };  // convolution's warpgroup, in turns

struct Parameters {
  CUtensorMap source;  // {channels, width, height, images}, as the others
  CUtensorMap out;
  CUtensorMap added;
  const uint4* weights1;
  const uint4* weights2;
  const float* bias1;
  const float* bias2;
  int images;
  int height;
  int width;
  int strips;
  int upwards;
};

// Rows [begin, end) of one strip.
struct Piece {
  int image;
  int x;
  int begin;
  int end;

  __device__ int rows() const { return end - begin; }

  // Of the picture, where row `i` of the output lies; also before the first and behind the last.
  __device__ int row(const Parameters& p, int i) const {
    return p.upwards ? end - 1 - i : begin + i;
  }
};

// What a block of the grid makes, piece by piece. The rows of all strips and images, one after the
// other, are shared out evenly. To begin a piece costs two rows of between, about as much as a row
// of the output, and who goes on from one strip to the next begins twice: so every strip counts one
// row more, ahead of its first.
class Pieces {
 public:
  __device__ explicit Pieces(const Parameters& p)
      : p_(p), at_(share(blockIdx.x)), end_(share(blockIdx.x + 1)) {}

  // Whether there is one more.
  __device__ bool next(Piece& piece) {
    const int counted = p_.height + 1;
    while (at_ < end_) {
      const int strip = at_ / counted;
      const int from = at_ % counted;
      const int until = min(from + end_ - at_, counted);
      at_ += until - from;
      piece.image = strip / p_.strips;
      piece.x = strip % p_.strips * kStrip;
      piece.begin = max(from - 1, 0);
      piece.end = until - 1;
      if (piece.rows() > 0) return true;
    }
    return false;
  }

 private:
  __device__ int share(unsigned block) const {
    const long long all = static_cast<long long>(p_.images) * p_.strips * (p_.height + 1);
    return static_cast<int>(all * block / gridDim.x);
  }

  const Parameters& p_;
  int at_;
  int end_;
};

// What lies where in shared memory.
struct Memory {
  SourceRing source;
  BetweenRing between;
  Turns turns;
  std::uint32_t stages;
  std::uint32_t stage_barriers;

  __device__ explicit Memory(std::uint32_t base) {
    constexpr int kRings = SourceRing::kBytes + BetweenRing::kBytes;
    stages = base + kRings;
    std::uint32_t barriers = stages + kStages * kSumBytes;
    source = {base, barriers};
    barriers += 8 * SourceRing::kBarriers;
    between = {base + SourceRing::kBytes, barriers};
    barriers += 8 * BetweenRing::kBarriers;
    turns = {barriers};
    stage_barriers = barriers + 8 * Turns::kBarriers;
  }

  // Of the output's row number `made`, from 0. Full: what is added has come. Empty: it is stored.
  __device__ std::uint32_t stage(int made) const { return stages + made % kStages * kSumBytes; }

  __device__ std::uint32_t stage_full(int made) const {
    return stage_barriers + 8 * (made % kStages);
  }

  __device__ std::uint32_t stage_empty(int made) const { return stage_full(made) + 8 * kStages; }

  static __device__ int stage_parity(int made) { return made / kStages & 1; }
};

[[maybe_unused]] __device__ void init_barriers(const Memory& memory) {
  memory.source.init(1, 4);   // the second warpgroup's warps
  memory.between.init(4, 4);  // of one warpgroup each
  memory.turns.init();
  for (int i = 0; i < 2 * kStages; ++i) init_barrier(memory.stage_barriers + 8 * i, 1);
  fence_barriers();
}

// By a lane of a warp that has read `count` rows from `row` on.
template <typename Ring>
__device__ void give_free(const Ring& ring, int row, int count) {
#pragma unroll 1
  for (int i = 0; i < count; ++i) arrive(ring.empty(row + i));
}

// One thread has the copy engine bring the source's rows.
[[maybe_unused]] __device__ void bring_source(const Parameters& p, const Memory& memory) {
  const SourceRing& ring = memory.source;
  int row = 0;
  Piece piece;
  for (Pieces pieces(p); pieces.next(piece);) {
#pragma unroll 1  // there are few registers
    for (int i = 0; i < piece.rows() + 4; ++i, ++row) {
      wait(ring.empty(row), ring.parity(row) ^ 1);
      arrive_expecting(ring.full(row), kSourceBytes);
      load_box(ring.slot(row),
               p.source,
               ring.full(row),
               0,
               piece.x - 2,
               piece.row(p, i - 2),
               piece.image);
    }
  }
}

// Another one those of what is added besides, to where the sums go.
[[maybe_unused]] __device__ void bring_added(const Parameters& p, const Memory& memory) {
  int made = 0;
  Piece piece;
  for (Pieces pieces(p); pieces.next(piece);) {
#pragma unroll 1
    for (int i = 0; i < piece.rows(); ++i, ++made) {
      wait(memory.stage_empty(made), memory.stage_parity(made) ^ 1);
      arrive_expecting(memory.stage_full(made), kSumBytes);
      load_box(memory.stage(made),
               p.added,
               memory.stage_full(made),
               0,
               piece.x,
               piece.row(p, i),
               piece.image);
    }
  }
}

// The first warpgroup: between = relu(conv1(source)).
template <typename T>
__device__ __forceinline__ void make_between(const Parameters& p,
                                             const Memory& memory,
                                             int thread) {
  const SourceRing& source = memory.source;
  const BetweenRing& between = memory.between;
  const int warp = thread / 32;
  const int lane = thread % 32;
  const std::uint32_t matrices = matrix_offset<Shape>(warp, lane);
  std::uint32_t weights[Shape::kSteps][4];
  load_weights(weights, p.weights1, thread);
  const float bias[2] = {__ldg(p.bias1 + warp * 16 + lane / 4),
                         __ldg(p.bias1 + warp * 16 + lane / 4 + 8)};
  int first = 0;  // row of the source's ring in the piece
  int made = 0;
  Piece piece;
  for (Pieces pieces(p); pieces.next(piece);) {
    // Of a row's pixels the one beside the picture, if any: the first one lies left of the strip.
    const int outside = lane < 2 ? (piece.x == 0 ? 0 : -1) : p.width - piece.x + 1;
    const int count = piece.rows() + 2;
    for (int i = 0; i < count; ++i, ++made) {
      for (int j = 0; j < 3; ++j) {
        wait(source.full(first + i + j), source.parity(first + i + j));
      }
      memory.turns.take(kFirst, made);
      float sums[kBetweenPixels / 2];
      convolve_rows<T, Shape>(
          sums,
          weights,
          0,
          [&](int dy) { return source.slot(first + i + (p.upwards ? 2 - dy : dy)); },
          [&] { memory.turns.pass_on(kFirst, lane); });

      wait(between.empty(made), between.parity(made) ^ 1);
      const std::uint32_t row = between.slot(made);
      const int y = piece.row(p, i - 1);
      const std::uint32_t kept = y >= 0 && y < p.height ? 0xffffffffu : 0;
      // Two pixels next to each other, of output lane / 4 or the one 8 further on.
      const auto narrow = [&](int at) {
        const float add = bias[at / 2 % 2];
        return kept &
               Pair<T>::narrow(fmaxf(sums[at] + add, 0.0f), fmaxf(sums[at + 1] + add, 0.0f), false);
      };
#pragma unroll
      for (int j = 0; j < kBetweenPixels / 16; ++j) {
        const std::uint32_t four[4] = {
            narrow(8 * j), narrow(8 * j + 2), narrow(8 * j + 4), narrow(8 * j + 6)};
        store_transposed(row + matrices + j * 16 * kPixelBytes, four);
      }
      const std::uint32_t two[2] = {narrow(kStrip / 2), narrow(kStrip / 2 + 2)};
      store_transposed(row + matrices + kStrip * kPixelBytes, two);
      __syncwarp();
      // This warp's 16 outputs, 32 bytes a pixel.
      if (lane < 4 && outside >= 0 && outside < kStrip + 2) {
        store_zeros(row + swizzled<kPixelBytes>(outside, 2 * warp + lane % 2));
      }
      fence_shared_writes();
      __syncwarp();
      if (lane == 0) arrive(between.full(made));
    }
    first += count + 2;
  }
  memory.turns.skip(kFirst, made, lane);
}

// The second one: out = source + conv2(between), and what is added besides.
template <typename T, bool kAdded>
__device__ __forceinline__ void make_out(const Parameters& p, const Memory& memory, int thread) {
  const SourceRing& source = memory.source;
  const BetweenRing& between = memory.between;
  const int warp = thread / 32;
  const int lane = thread % 32;
  const std::uint32_t matrices = matrix_offset<Shape>(warp, lane);
  const std::uint32_t residuals = matrix_offset<Shape>(warp, lane, 2);
  std::uint32_t weights[Shape::kSteps][4];
  load_weights(weights, p.weights2, thread);
  const float bias[2] = {__ldg(p.bias2 + warp * 16 + lane / 4),
                         __ldg(p.bias2 + warp * 16 + lane / 4 + 8)};
  wait_for_previous_kernel();  // which may read what is written here
  int first = 0;               // row of between's ring in the piece
  int first_source = 0;        // and of the source's
  int made = 0;
  memory.turns.skip(kSecond, 0, lane);
  Piece piece;
  for (Pieces pieces(p); pieces.next(piece);) {
    const int count = piece.rows() + 2;
    for (int i = 0; i < count; ++i) {
      wait(between.full(first + i), between.parity(first + i));
      const int turn = first + i + 1;
      if (i < 2) {
        memory.turns.skip(kSecond, turn, lane);
        if (lane == 0) give_free(source, first_source + i, 1);
        continue;
      }
      memory.turns.take(kSecond, turn);
      float sums[kStrip / 2];
      convolve_rows<T, Shape>(
          sums,
          weights,
          0,
          [&](int dy) { return between.slot(first + i - 2 + (p.upwards ? 2 - dy : dy)); },
          [&] { memory.turns.pass_on(kSecond, lane); });
      const bool last = i == count - 1;
      if (lane == 0) give_free(between, first + i - 2, last ? 3 : 1);

      const std::uint32_t stage = memory.stage(made);
      if constexpr (kAdded) {
        if (thread == 0 && made > 0) {
          wait_for_stores_to_read<0>();
          arrive(memory.stage_empty(made - 1));
        }
        wait(memory.stage_full(made), memory.stage_parity(made));
      } else {
        if (thread == 0) wait_for_stores_to_read<kStages - 1>();
        meet(1, 128);
      }
      // The first warpgroup has waited for it; its bytes are to be seen by this one too.
      wait(source.full(first_source + i), source.parity(first_source + i));
      const std::uint32_t residual_row = source.slot(first_source + i);
#pragma unroll
      for (int j = 0; j < kStrip / 16; ++j) {
        const std::uint32_t pixels = j * 16 * kPixelBytes;
        float values[8];
#pragma unroll
        for (int v = 0; v < 8; ++v) values[v] = sums[8 * j + v] + bias[v / 2 % 2];
        const auto add = [&](std::uint32_t at) {
          std::uint32_t four[4];
          load_transposed(four, at);
#pragma unroll
          for (int v = 0; v < 4; ++v) {
            const float2 both = Pair<T>::widen(four[v]);
            values[2 * v] += both.x;
            values[2 * v + 1] += both.y;
          }
        };
        add(residual_row + residuals + pixels);
        if constexpr (kAdded) add(stage + matrices + pixels);
        std::uint32_t four[4];
#pragma unroll
        for (int v = 0; v < 4; ++v) {
          four[v] = Pair<T>::narrow(values[2 * v], values[2 * v + 1], false);
        }
        store_transposed(stage + matrices + pixels, four);
      }
      __syncwarp();
      if (lane == 0) give_free(source, first_source + i, last ? 3 : 1);
      fence_shared_writes();
      meet(1, 128);
      if (thread == 0) {
        store_box(p.out, stage, 0, piece.x, piece.row(p, i - 2), piece.image);
        commit_stores();
      }
      ++made;
    }
    first += count;
    first_source += count + 2;
  }
  if (thread == 0) wait_for_stores();
}

template <typename T, bool kAdded>
__global__ void __launch_bounds__(kThreads, 1)
    residual_block_kernel(const __grid_constant__ Parameters p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  const Memory memory((shared_address(shared_memory()) + 1023u) & ~1023u);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) init_barriers(memory);
  __syncthreads();
  let_next_kernel_start();

  if (thread < 128) {
    keep_registers<24>();
    if (thread == 0) {
      wait_for_previous_kernel();
      bring_source(p, memory);
    } else if (kAdded && thread == 32) {
      wait_for_previous_kernel();
      bring_added(p, memory);
    }
    return;
  }
  take_registers<240>();
  if (thread < 256) {
    make_between<T>(p, memory, thread - 128);
  } else {
    make_out<T, kAdded>(p, memory, thread - 256);
  }
#endif
}

template <typename T>
void start(const Parameters& parameters, bool added, int blocks, gpu::StreamView stream) {
  start_kernel_early("a residual block",
                     added ? residual_block_kernel<T, true> : residual_block_kernel<T, false>,
                     dim3(static_cast<unsigned>(blocks)),
                     kThreads,
                     kSharedBytes,
                     stream,
                     parameters);
}

}  // namespace

bool has_residual_block(int device) { return has_rows_conv(device); }

void launch_residual_block(const ResidualBlockCall& call,
                           ElementType type,
                           gpu::StreamView stream) {
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, stream.device);
  const auto images = static_cast<std::uint64_t>(call.images);
  const auto height = static_cast<std::uint64_t>(call.height);
  const auto width = static_cast<std::uint64_t>(call.width);
  const auto map = [&](const void* data, std::uint32_t pixels) {
    return tensor_map({.data = data,
                       .dimensions = 4,
                       .sizes = {kChannels, width, height, images},
                       .strides = {kPixelBytes, kPixelBytes * width, kPixelBytes * width * height},
                       .box = {kChannels, pixels, 1, 1}},
                      type);
  };
  Parameters parameters{};
  parameters.source = map(call.source, kSourcePixels);
  parameters.out = map(call.out, kStrip);
  if (call.added != nullptr) parameters.added = map(call.added, kStrip);
  parameters.weights1 = static_cast<const uint4*>(call.weights1);
  parameters.weights2 = static_cast<const uint4*>(call.weights2);
  parameters.bias1 = call.bias1;
  parameters.bias2 = call.bias2;
  parameters.images = call.images;
  parameters.height = call.height;
  parameters.width = call.width;
  parameters.strips = (call.width + kStrip - 1) / kStrip;
  parameters.upwards = call.upwards ? 1 : 0;
  const bool added = call.added != nullptr;
  if (type == ElementType::kHalf) return start<__half>(parameters, added, multiprocessors, stream);
  if (type == ElementType::kBfloat16) {
    return start<__nv_bfloat16>(parameters, added, multiprocessors, stream);
  }
  refuse("convolutions on tensor cores take half or bfloat16");
}

}  // namespace vsr::kernels
