// A slice in shared memory and the coding of its values, by the eight warps of a block together.
#pragma once

#include "cuda/warp.cuh"
#include "prores_layout.hpp"

#include <cstdint>

namespace vsr::kernels::prores {

// Note [Coding in parallel]
// The values of a plane lie in coding order, and warps share them out: luma over warps 0 to 3, Cb 4
// and 5, Cr 6 and 7, whatever the number of macroblocks. Each warp first lists its nonzero values,
// since most are none; a ballot over 32 neighbours tells each its place. All that a value's code
// depends on is in the two entries before its own, so that codes need no turns: a lane an entry.
// Before the list stand the last two entries of the warps before. Lengths are summed for an offer;
// to write, a prefix sum over lengths gives each code its place, and codes are set into words of
// zeros.

constexpr int kSliceThreads = 256;
constexpr int kSliceWarps = kSliceThreads / 32;
constexpr int kShareValues = kSliceValues / kSliceWarps;
// A block of 8 x 8 in the transform's half-way form: rows of 16-bit pairs, and a word so that the
// 32 blocks of a warp lie in different banks.
constexpr int kBlockWords = 33;

// Unpacked: prefix, Rice order, exponential Golomb order, first value with a long code; a byte
// each.
struct Books {
  std::uint32_t run[16];
  std::uint32_t level[10];
  std::uint32_t dc[4];
  std::uint32_t first_dc;
};

// A nonzero value: its place in the plane (16 bits, signed), whether it is negative (1), magnitude
// (15).
using Entry = std::int32_t;

struct SliceMemory {
  std::int16_t values[kSliceValues];  // by plane, each in coding order; planes unpadded

  union {
    Entry entries[kSliceWarps][2 + kShareValues];  // by warp; the two before them first
    std::uint32_t blocks[64 * kBlockWords];        // during the transform
  };

  std::uint32_t reciprocals[64];  // by place in the scan
  int counts[kSliceWarps];        // of entries, without the two before them
  std::uint32_t warp_bits[kSliceWarps];
  Books books;
};

// The last kernel's, that writes.
struct WriteMemory {
  SliceMemory slice;
  std::uint32_t words[kMostSliceBytes / 4];
};

struct SlicePlace {
  int row = 0;     // of macroblocks
  int column = 0;  // first macroblock
  int log_macroblocks = 0;
};

__device__ inline SlicePlace place_of(int slice, const Layout& layout) {
  SlicePlace place;
  place.row = slice / layout.slices_per_row;
  int left = slice % layout.slices_per_row;
  const int whole = layout.macroblock_columns / kSliceMacroblocks;
  place.column = (left < whole ? left : whole) * kSliceMacroblocks;
  place.log_macroblocks = 3;
  if (left < whole) return place;
  left -= whole;
  for (int log = 2; log >= 0; --log) {
    if ((layout.macroblock_columns >> log & 1) == 0) continue;
    place.log_macroblocks = log;
    if (left-- == 0) break;
    place.column += 1 << log;
  }
  return place;
}

// What of a slice is this warp's: `count` values of a plane from `first` on.
struct Share {
  int plane = 0;
  int plane_warp = 0;   // the plane's first
  int log_blocks = 0;   // of the plane
  int plane_value = 0;  // where the plane begins in SliceMemory::values
  int first = 0;
  int count = 0;  // a multiple of 32
};

__device__ inline Share share_of(int warp, int log_macroblocks) {
  Share share;
  share.plane = warp < 4 ? 0 : (warp < 6 ? 1 : 2);
  share.plane_warp = share.plane == 0 ? 0 : 2 + 2 * share.plane;
  share.log_blocks = log_macroblocks + (share.plane == 0 ? 2 : 1);
  share.count = 64 << log_macroblocks;
  share.plane_value = share.plane_warp * share.count;
  share.first = (warp - share.plane_warp) * share.count;
  return share;
}

__constant__ const Tables kDeviceTables = kTables;

__device__ inline std::uint32_t unpacked(std::uint32_t book) {
  const std::uint32_t prefix = (book & 3) + 1;
  const std::uint32_t rice = book >> 5;
  return prefix | rice << 8 | (book >> 2 & 7) << 16 | prefix << rice << 24;
}

__device__ inline void unpack_books(Books& books, int thread) {
  if (thread < 16) books.run[thread] = unpacked(kDeviceTables.run_book[thread]);
  if (thread < 10) books.level[thread] = unpacked(kDeviceTables.level_book[thread]);
  if (thread < 4) books.dc[thread] = unpacked(kDeviceTables.dc_book[thread]);
  if (thread == 0) books.first_dc = unpacked(kDeviceTables.first_dc_book);
}

__device__ inline void set_reciprocals(SliceMemory& memory, int quantiser, int thread) {
  if (thread >= 64) return;
  const auto step =
      static_cast<std::uint32_t>(kDeviceTables.matrix[kDeviceTables.scan[thread]] * quantiser);
  memory.reciprocals[thread] = ((1u << kLevelShift) + step / 2) / step;
}

struct Code {
  std::uint32_t bits;
  int length;
};

__device__ inline Code code_of(std::uint32_t book, std::uint32_t value) {
  const int prefix = static_cast<int>(book & 0xFF);
  const int rice = static_cast<int>(book >> 8 & 0xFF);
  const int order = static_cast<int>(book >> 16 & 0xFF);
  const std::uint32_t first_long = book >> 24;
  if (value < first_long) {
    return {1u << rice | (value & ((1u << rice) - 1)), static_cast<int>(value >> rice) + 1 + rice};
  }
  const std::uint32_t rest = value - first_long + (1u << order);
  const int log = highest_bit(rest);
  return {rest, prefix - order + 2 * log + 1};
}

__device__ inline std::uint32_t magnitude_of(int value,
                                             std::uint32_t reciprocal,
                                             std::uint32_t rounding) {
  const auto size = static_cast<std::uint32_t>(value < 0 ? -value : value);
  return (size * reciprocal + rounding) >> kLevelShift;
}

__device__ inline Entry entry_of(int position, int value) {
  return position * 65536 + (value < 0 ? 0x8000 - value : value);
}

__device__ inline int position_of(Entry entry) { return entry >> 16; }

__device__ inline std::uint32_t level_of(const SliceMemory& memory,
                                         const Share& share,
                                         Entry entry) {
  const std::uint32_t reciprocal = memory.reciprocals[position_of(entry) >> share.log_blocks];
  return magnitude_of(entry & 0x7FFF, reciprocal, kAcRounding);
}

// Lists those of the share's AC values that are not quantised to zero. Seen by all after a barrier.
__device__ inline void list_entries(SliceMemory& memory, const Share& share, int warp, int lane) {
  Entry* const list = memory.entries[warp] + 2;
  const std::int16_t* const values = memory.values + share.plane_value;
  const std::uint32_t lower = (1u << lane) - 1;
  int count = 0;
#pragma unroll 4
  for (int first = share.first; first < share.first + share.count; first += 32) {
    const int position = first + lane;
    const Entry entry = entry_of(position, values[position]);
    const bool kept = position >> share.log_blocks != 0 && level_of(memory, share, entry) != 0;
    const std::uint32_t bits = ballot(kept);
    if (kept) list[count + bits_set(bits & lower)] = entry;
    count += bits_set(bits);
  }
  if (lane == 0) memory.counts[warp] = count;
}

// Drops what is zero at a coarser quantiser.
__device__ inline void thin_entries(SliceMemory& memory, const Share& share, int warp, int lane) {
  Entry* const list = memory.entries[warp] + 2;
  const int entries = memory.counts[warp];
  const std::uint32_t lower = (1u << lane) - 1;
  int count = 0;
  for (int first = 0; first < entries; first += 32) {
    const Entry entry = first + lane < entries ? list[first + lane] : 0;
    const bool kept = first + lane < entries && level_of(memory, share, entry) != 0;
    const std::uint32_t bits = ballot(kept);
    __syncwarp();  // all have read theirs
    if (kept) list[count + bits_set(bits & lower)] = entry;
    count += bits_set(bits);
  }
  __syncwarp();  // all have read it, were there no entries too
  if (lane == 0) memory.counts[warp] = count;
}

// Puts the last two entries of the plane's warps before this one before its list; where there are
// none, what stands for kFirstRun and has kFirstLevel. A made-up entry has the
// magnitude 0, which no other has. After a barrier.
__device__ inline void bring_entries_before(SliceMemory& memory, const Share& share, int warp) {
  const int blocks = 1 << share.log_blocks;
  Entry last = entry_of(blocks - 1, 0);
  Entry second = entry_of(blocks - 2 - kFirstRun, 0);
  int found = 0;
  for (int w = warp - 1; w >= share.plane_warp && found < 2; --w) {
    const int count = memory.counts[w];
    const Entry* const end = memory.entries[w] + 2 + count;
    if (count == 0) continue;
    if (found == 0) {
      last = end[-1];
      second = count > 1 ? end[-2] : entry_of(blocks - 1, 0);
      found = count;
    } else {
      second = end[-1];
      found = 2;
    }
  }
  memory.entries[warp][1] = last;
  memory.entries[warp][0] = second;
}

// Sets the `length` (1 to 64) low bits of `code` into zeros, `at` bits on from the first's highest.
__device__ inline void set_code(std::uint32_t* words, int at, std::uint64_t code, int length) {
  const std::uint64_t left = code << (64 - length);
  const int within = at & 31;
  const std::uint64_t two = left >> within;
  std::uint32_t* const to = words + (at >> 5);
  set_bits(to, static_cast<std::uint32_t>(two >> 32));
  if (within + length > 32) set_bits(to + 1, static_cast<std::uint32_t>(two));
  if (within + length > 64) {
    set_bits(to + 2, static_cast<std::uint32_t>(left << (32 - within)));
  }
}

// This lane's code of the plane's DCs, of which there is one a block.
__device__ inline Code dc_code(const SliceMemory& memory, const Share& share, int lane) {
  const int value = memory.values[share.plane_value + (lane >> share.log_blocks == 0 ? lane : 0)];
  const auto magnitude = static_cast<int>(magnitude_of(value, memory.reciprocals[0], kDcRounding));
  const int dc = value < 0 ? -magnitude : magnitude;
  const int left = lane > 0 ? lane - 1 : 0;
  const int dc_before = from_lane(dc, left);
  const int difference = lane > 0 ? dc - dc_before : dc;
  const bool falling = from_lane(difference, left) < 0 && lane > 1;
  const int change = falling ? -difference : difference;
  const auto code = static_cast<std::uint32_t>(change < 0 ? -2 * change - 1 : 2 * change);
  const std::uint32_t half = (from_lane(code, left) + 1) / 2;
  std::uint32_t book = memory.books.dc[lane == 1 || half > 3 ? 3 : half];
  if (lane == 0) book = memory.books.first_dc;
  if (lane >> share.log_blocks != 0) return {0, 0};
  return code_of(book, code);
}

// Codes the warp's share: returns the bits of this lane, and with kWrite sets them into `words`
// from bit `at` on. After list_entries() or thin_entries() and a barrier.
template <bool kWrite>
__device__ std::uint32_t code_share(SliceMemory& memory,
                                    const Share& share,
                                    int warp,
                                    int lane,
                                    std::uint32_t* words = nullptr,
                                    int at = 0) {
  std::uint32_t bits = 0;
  const auto take = [&](std::uint64_t code, int length) {
    bits += static_cast<std::uint32_t>(length);
    if constexpr (kWrite) {
      const int end = sum_up_to_lane(length, lane);
      if (length > 0) set_code(words, at + end - length, code, length);
      at += from_lane(end, 31);
    }
  };

  if (warp == share.plane_warp) {
    const Code code = dc_code(memory, share, lane);
    take(code.bits, code.length);
  }
  if (lane == 0) bring_entries_before(memory, share, warp);
  __syncwarp();
  const Entry* const list = memory.entries[warp];
  const int entries = memory.counts[warp];
  for (int first = 0; first < entries; first += 32) {
    std::uint64_t code = 0;
    int length = 0;
    if (first + lane < entries) {
      const Entry* const mine = list + 2 + first + lane;
      const int run = position_of(mine[0]) - position_of(mine[-1]) - 1;
      const int run_before = position_of(mine[-1]) - position_of(mine[-2]) - 1;
      const std::uint32_t level = level_of(memory, share, mine[0]);
      const std::uint32_t level_before =
          (mine[-1] & 0x7FFF) != 0 ? level_of(memory, share, mine[-1]) : kFirstLevel;
      const Code of_run = code_of(memory.books.run[run_before < 15 ? run_before : 15],
                                  static_cast<std::uint32_t>(run));
      const Code of_level =
          code_of(memory.books.level[level_before < 9 ? level_before : 9], level - 1);
      length = of_run.length + of_level.length + 1;
      if constexpr (kWrite) {
        code = (static_cast<std::uint64_t>(of_run.bits) << of_level.length | of_level.bits) << 1 |
               ((mine[0] & 0x8000) != 0 ? 1 : 0);
      }
    }
    take(code, length);
  }
  return bits;
}

struct PlaneBytes {
  std::uint32_t planes[3];
};

// What the listed entries take; all threads of the slice. Each warp's bits stay in
// memory.warp_bits.
__device__ inline PlaneBytes count_bytes(SliceMemory& memory,
                                         const Share& share,
                                         int warp,
                                         int lane) {
  const std::uint32_t own = sum_of_warp(code_share<false>(memory, share, warp, lane));
  if (lane == 0) memory.warp_bits[warp] = own;
  __syncthreads();
  const std::uint32_t* const bits = memory.warp_bits;
  return {{(bits[0] + bits[1] + bits[2] + bits[3] + 7) / 8,
           (bits[4] + bits[5] + 7) / 8,
           (bits[6] + bits[7] + 7) / 8}};
}

}  // namespace vsr::kernels::prores
