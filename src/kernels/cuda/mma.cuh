// What kernels on tensor cores are made of: asynchronous copies, loads and products of a whole
// warp. Each is one instruction of the device (sm_80 and later); the emulation of tests/kernels has
// them on the CPU.
#pragma once

#include "cuda/warp.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace vsr::kernels {

#ifdef VSR_EMULATED_CUDA

inline void copy_16_async(void* to, const void* from, bool valid) {
  emulation::copy_async(to, from, valid);
}

inline void commit_copies() { emulation::commit_copies(); }

template <int kStillOpen>
void wait_for_copies() {
  emulation::wait_for_copies(kStillOpen);
}

inline void load_matrices(std::uint32_t (&out)[4], const void* row) {
  emulation::show(&row, sizeof(row));
  const int lane = emulation::lane();
  for (int i = 0; i < 4; ++i) {
    const auto* from = *static_cast<const std::uint32_t* const*>(emulation::seen(8 * i + lane / 4));
    out[i] = from[lane % 4];
  }
}

template <typename T>
void multiply_add(float (&sum)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  std::uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  emulation::show(mine, sizeof(mine));
  const int row = emulation::lane() / 4;
  const int column = emulation::lane() % 4 * 2;
  // Element k of a lane's four (A) or two (B) registers, as the instruction's layout has it.
  const auto element = [](int lane, int reg, int k) {
    return static_cast<float>(reinterpret_cast<const T*>(
        static_cast<const std::uint32_t*>(emulation::seen(lane)) + reg)[k % 2]);
  };
  for (int i = 0; i < 4; ++i) {
    const int m = row + i / 2 * 8;
    const int n = column + i % 2;
    for (int k = 0; k < 16; ++k) {
      const int within = k % 8 / 2;
      sum[i] +=
          element(m % 8 * 4 + within, m / 8 + k / 8 * 2, k) * element(n * 4 + within, 4 + k / 8, k);
    }
  }
}

#else

__device__ inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes from global to shared memory, both aligned; zeros where `valid` is false (nothing is
// read then).
__device__ inline void copy_16_async(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)),
               "l"(from),
               "r"(valid ? 16 : 0)
               : "memory");
}

// 4 bytes likewise.
__device__ inline void copy_4_async(void* to, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;\n" ::"r"(shared_address(to)), "l"(from)
               : "memory");
}

__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Until at most so many of this thread's groups are under way. Other threads' copies need a barrier
// besides.
template <int kStillOpen>
__device__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kStillOpen) : "memory");
}

// Four 8x8 matrices of 2-byte elements. Lane 8 * i + j gives the address of matrix i's row j (16
// bytes, aligned); out[i] holds elements 2 * (lane % 4) and the next of matrix i's row lane / 4.
__device__ inline void load_matrices(std::uint32_t (&out)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}

// sum (16x8) += a (16x16) * b (16x8), fp32 sums; layouts as of mma.m16n8k16.
template <typename T>
__device__ void multiply_add(float (&sum)[4],
                             const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]);

template <>
__device__ inline void multiply_add<__half>(float (&sum)[4],
                                            const std::uint32_t (&a)[4],
                                            const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, "
      "%9}, {%0, %1, %2, %3};\n"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <>
__device__ inline void multiply_add<__nv_bfloat16>(float (&sum)[4],
                                                   const std::uint32_t (&a)[4],
                                                   const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, "
      "%3};\n"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif

}  // namespace vsr::kernels
