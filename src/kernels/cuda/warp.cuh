// What the threads of a block and of a warp do together. On the device a few instructions; the
// emulation of tests/kernels has them on the CPU. Every lane of a warp takes part in each.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace vsr::kernels {

#ifdef VSR_EMULATED_CUDA

inline unsigned char* shared_memory() { return emulation::shared_memory(); }

// The value that `lane` gave.
template <typename T>
T from_lane(T value, int lane) {
  emulation::show(&value, sizeof(value));
  return *static_cast<const T*>(emulation::seen(lane));
}

// Bit i: lane i's.
inline std::uint32_t ballot(bool mine) {
  emulation::show(&mine, sizeof(mine));
  std::uint32_t bits = 0;
  for (int i = 0; i < 32; ++i) {
    if (*static_cast<const bool*>(emulation::seen(i))) bits |= 1u << i;
  }
  return bits;
}

inline std::uint32_t sum_of_warp(std::uint32_t mine) {
  emulation::show(&mine, sizeof(mine));
  std::uint32_t sum = 0;
  for (int i = 0; i < 32; ++i) sum += *static_cast<const std::uint32_t*>(emulation::seen(i));
  return sum;
}

// REQUIRES: value > 0.
inline int highest_bit(std::uint32_t value) { return 31 - __builtin_clz(value); }

inline int bits_set(std::uint32_t value) { return __builtin_popcount(value); }

inline void set_bits(std::uint32_t* word, std::uint32_t bits) { *word |= bits; }

#else

// Dynamic shared memory, 1024-byte aligned.
__device__ inline unsigned char* shared_memory() {
  extern __shared__ __align__(1024) unsigned char memory[];
  return memory;
}

constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

// The value that `lane` gave.
template <typename T>
__device__ T from_lane(T value, int lane) {
  return __shfl_sync(kWholeWarp, value, lane);
}

// Bit i: lane i's.
__device__ inline std::uint32_t ballot(bool mine) { return __ballot_sync(kWholeWarp, mine); }

__device__ inline std::uint32_t sum_of_warp(std::uint32_t mine) {
  return __reduce_add_sync(kWholeWarp, mine);
}

// REQUIRES: value > 0.
__device__ inline int highest_bit(std::uint32_t value) {
  return 31 - __clz(static_cast<int>(value));
}

__device__ inline int bits_set(std::uint32_t value) { return __popc(value); }

// In shared memory, against other threads.
__device__ inline void set_bits(std::uint32_t* word, std::uint32_t bits) { atomicOr(word, bits); }

#endif

// The sum of the values of the lanes up to this one, this one's included.
template <typename T>
__device__ T sum_up_to_lane(T value, int lane) {
  for (int step = 1; step < 32; step *= 2) {
    const T other = from_lane(value, lane >= step ? lane - step : lane);
    if (lane >= step) value += other;
  }
  return value;
}

}  // namespace vsr::kernels
