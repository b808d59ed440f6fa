// Instructions of Hopper (sm_90a) that convolutions and the alignment are made of: barriers in
// shared memory, the tensor copy engine, products of a warpgroup. PTX ISA 8.0 and later. The
// emulation of tests/kernels has its own file of this name, with what kernels that it can run need.
#pragma once

#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace vsr::kernels::hopper {

__device__ inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

// --- Barriers: `barrier` is the address of 8 bytes of shared memory ----------------------------

__device__ inline void init_barrier(std::uint32_t barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(barrier), "r"(arrivals));
}

// Makes barriers just initialised known to the copy engine.
__device__ inline void fence_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
}

__device__ inline void arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(barrier) : "memory");
}

// `count` arrivals at once.
__device__ inline void arrive(std::uint32_t barrier, int count) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0], %1;\n" ::"r"(barrier), "r"(count)
               : "memory");
}

__device__ inline void arrive_expecting(std::uint32_t barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(barrier), "r"(bytes)
               : "memory");
}

// Until the phase of that parity is over.
__device__ inline void wait(std::uint32_t barrier, int parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra over;\n"
      "bra again;\n"
      "over:\n"
      "}\n" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// The `threads` threads that name barrier `id` (1..15) meet.
__device__ inline void meet(int id, int threads) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(id), "r"(threads) : "memory");
}

// --- Copy engine --------------------------------------------------------------------------------

// Has the description of a map at hand before it is needed.
__device__ inline void prefetch_map(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];\n" ::"l"(&map) : "memory");
}

__device__ inline void load_box(std::uint32_t to,
                                const CUtensorMap& map,
                                std::uint32_t barrier,
                                int c0,
                                int c1,
                                int c2,
                                int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, "
      "{%3, %4, %5, %6}], [%2];\n" ::"r"(to),
      "l"(&map),
      "r"(barrier),
      "r"(c0),
      "r"(c1),
      "r"(c2),
      "r"(c3)
      : "memory");
}

__device__ inline void load_box(std::uint32_t to,
                                const CUtensorMap& map,
                                std::uint32_t barrier,
                                int c0,
                                int c1,
                                int c2,
                                int c3,
                                int c4) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, "
      "{%3, %4, %5, %6, %7}], [%2];\n" ::"r"(to),
      "l"(&map),
      "r"(barrier),
      "r"(c0),
      "r"(c1),
      "r"(c2),
      "r"(c3),
      "r"(c4)
      : "memory");
}

__device__ inline void store_box(
    const CUtensorMap& map, std::uint32_t from, int c0, int c1, int c2, int c3, int c4) {
  asm volatile(
      "cp.async.bulk.tensor.5d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4, %5, %6}], "
      "[%1];\n" ::"l"(&map),
      "r"(from),
      "r"(c0),
      "r"(c1),
      "r"(c2),
      "r"(c3),
      "r"(c4)
      : "memory");
}

__device__ inline void store_box(
    const CUtensorMap& map, std::uint32_t from, int c0, int c1, int c2, int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4, %5}], "
      "[%1];\n" ::"l"(&map),
      "r"(from),
      "r"(c0),
      "r"(c1),
      "r"(c2),
      "r"(c3)
      : "memory");
}

// `bytes`, a multiple of 16, that lie together.
__device__ inline void load_bytes(std::uint32_t to,
                                  const void* from,
                                  int bytes,
                                  std::uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];\n" ::
          "r"(to),
      "l"(from),
      "r"(bytes),
      "r"(barrier)
      : "memory");
}

__device__ inline void commit_stores() {
  asm volatile("cp.async.bulk.commit_group;\n" ::: "memory");
}

// Until at most so many of this thread's committed stores still read shared memory.
template <int kStillOpen>
__device__ void wait_for_stores_to_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;\n" ::"n"(kStillOpen) : "memory");
}

// Until this thread's stores are done.
__device__ inline void wait_for_stores() {
  asm volatile("cp.async.bulk.wait_group 0;\n" ::: "memory");
}

// Ordinary writes to shared memory become visible to copy engine and tensor cores.
__device__ inline void fence_shared_writes() {
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
}

// --- Launches that overlap ----------------------------------------------------------------------

// The next kernel of the stream may start its blocks as soon as all of this one's have come here or
// ended; it must not touch what this one writes before wait_for_previous_kernel().
__device__ inline void let_next_kernel_start() {
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
}

// Until the kernel before this one in the stream has ended and its writes are visible.
__device__ inline void wait_for_previous_kernel() {
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
}

// --- Registers: all warps of a warpgroup, `kCount` a thread -------------------------------------

template <int kCount>
__device__ void keep_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(kCount));
}

template <int kCount>
__device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(kCount));
}

// --- Matrices -----------------------------------------------------------------------------------

// Four 8x8 matrices of 2-byte elements, transposed on the way. Lane 8 * i + j gives the address of
// row j (16 bytes) of matrix i; register i holds elements (2 * (lane % 4), lane / 4) and the one
// below it of matrix i.
__device__ inline void load_transposed(std::uint32_t (&out)[4], std::uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(row)
               : "memory");
}

__device__ inline void store_transposed(std::uint32_t row, const std::uint32_t (&in)[4]) {
  asm volatile(
      "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(row),
      "r"(in[0]),
      "r"(in[1]),
      "r"(in[2]),
      "r"(in[3])
      : "memory");
}

// Two of them; the addresses of the first 16 lanes count.
__device__ inline void store_transposed(std::uint32_t row, const std::uint32_t (&in)[2]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};\n" ::"r"(row),
               "r"(in[0]),
               "r"(in[1])
               : "memory");
}

// 16 bytes of zeros.
__device__ inline void store_zeros(std::uint32_t to) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %1, %1, %1};\n" ::"r"(to), "r"(0) : "memory");
}

// Note [Rows under the swizzle]
// A map's pixels lie in shared memory as rows of 128, 64 or 32 bytes, as the copy engine's swizzle
// of that width puts them: 16-byte part p of the row at address a is at part p ^ (a / 128 % parts).
// The tensor cores undo this by address bits too, so a matrix may begin at any row, not only at
// every eighth, and a kernel's tap is a shifted start address. Blocks of eight rows follow each
// other.
template <int kRowBytes>
__device__ std::uint64_t pixels_descriptor(std::uint32_t address) {
  static_assert(kRowBytes == 128 || kRowBytes == 64 || kRowBytes == 32);
  constexpr std::uint64_t kSwizzle = kRowBytes == 128 ? 1 : kRowBytes == 64 ? 2 : 3;
  return (static_cast<std::uint64_t>(address & 0x3ffffu) >> 4) | std::uint64_t{1} << 16 |
         std::uint64_t{8 * kRowBytes >> 4} << 32 | kSwizzle << 62;
}

// Rows of 16 bytes (8 elements), one after the other, without a swizzle; the next 8 elements of
// each row lie `next_column` bytes further on.
__device__ inline std::uint64_t columns_descriptor(std::uint32_t address, int next_column) {
  return (static_cast<std::uint64_t>(address & 0x3ffffu) >> 4) |
         static_cast<std::uint64_t>(next_column >> 4) << 16 | std::uint64_t{128 >> 4} << 32;
}

// Where part `part` of row `row` lies, of rows that begin at a multiple of 1024.
template <int kRowBytes>
__device__ int swizzled(int row, int part) {
  return row * kRowBytes + ((part ^ (row * kRowBytes / 128 % (kRowBytes / 16))) << 4);
}

__device__ inline void begin_products() {
  asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory");
}

__device__ inline void commit_products() {
  asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory");
}

template <int kStillOpen>
__device__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(kStillOpen) : "memory");
}

// Keeps the compiler from moving reads of the sums across.
template <int kCount>
__device__ void fence_sums(float (&sums)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}

// sums (64 x 128) = a (64 x 16, in registers) * b (16 x 128, a descriptor), added to the old sums
// where `add`. Layouts as of wgmma.m64n128k16; asynchronous, see above.
template <typename T>
__device__ void multiply_add(float (&sums)[64],
                             const std::uint32_t (&a)[4],
                             std::uint64_t b,
                             bool add);
// The same with `a` in shared memory too, a descriptor.
template <typename T>
__device__ void multiply_add(float (&sums)[64], std::uint64_t a, std::uint64_t b, bool add);
// sums (64 x 136, 64 x 64 or 64 x 32) = a (64 x 16, in registers) * b (a descriptor of rows),
// likewise.
template <typename T>
__device__ void multiply_add(float (&sums)[68],
                             const std::uint32_t (&a)[4],
                             std::uint64_t b,
                             bool add);
template <typename T>
__device__ void multiply_add(float (&sums)[32],
                             const std::uint32_t (&a)[4],
                             std::uint64_t b,
                             bool add);
template <typename T>
__device__ void multiply_add(float (&sums)[16],
                             const std::uint32_t (&a)[4],
                             std::uint64_t b,
                             bool add);
// sums (64 x 32) = a (64 x 16) * b (16 x 32), both descriptors of rows, added to the old sums where
// `add`. Layouts as of wgmma.m64n32k16; asynchronous, see above.
template <typename T>
__device__ void multiply_add(float (&sums)[16], std::uint64_t a, std::uint64_t b, bool add);

// An instruction names each of its registers, and its type in its own name: hence macros.
// clang-format off
#define VSR_SUMS_4(i) "+f"(sums[i]), "+f"(sums[(i) + 1]), "+f"(sums[(i) + 2]), "+f"(sums[(i) + 3])
#define VSR_SUMS_16(i) VSR_SUMS_4(i), VSR_SUMS_4((i) + 4), VSR_SUMS_4((i) + 8), VSR_SUMS_4((i) + 12)
#define VSR_SUMS_32 VSR_SUMS_16(0), VSR_SUMS_16(16)
#define VSR_SUMS_64 VSR_SUMS_16(0), VSR_SUMS_16(16), VSR_SUMS_16(32), VSR_SUMS_16(48)
#define VSR_SUMS_68 VSR_SUMS_64, VSR_SUMS_4(64)
#define VSR_NAMES_16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define VSR_NAMES_32                                                                       \
  VSR_NAMES_16 ", "                                                                        \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define VSR_NAMES_64                                                                       \
  VSR_NAMES_32 ", "                                                                        \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "       \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define VSR_NAMES_68 VSR_NAMES_64 ", %64, %65, %66, %67"
// `operands`: sums in braces, a, b.
#define VSR_PRODUCT(shape, name, flag, operands, flags)                                    \
  "{\n"                                                                                    \
  ".reg .pred add;\n"                                                                      \
  "setp.ne.b32 add, " flag ", 0;\n"                                                        \
  "wgmma.mma_async.sync.aligned." shape ".f32." name "." name " " operands ", add, " flags ";\n" \
  "}\n"

#define VSR_PRODUCTS(T, name)                                                              \
  template <>                                                                              \
  __device__ inline void multiply_add<T>(                                                  \
      float (&sums)[64], const std::uint32_t (&a)[4], std::uint64_t b, bool add) {         \
    asm volatile(VSR_PRODUCT("m64n128k16", name, "%69",                                    \
                             "{" VSR_NAMES_64 "}, {%64, %65, %66, %67}, %68", "1, 1, 0")   \
                 : VSR_SUMS_64                                                             \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                     \
                   "r"(static_cast<int>(add)));                                            \
  }                                                                                        \
  template <>                                                                              \
  __device__ inline void multiply_add<T>(                                                  \
      float (&sums)[64], std::uint64_t a, std::uint64_t b, bool add) {                     \
    asm volatile(VSR_PRODUCT("m64n128k16", name, "%66",                                    \
                             "{" VSR_NAMES_64 "}, %64, %65", "1, 1, 0, 0")                 \
                 : VSR_SUMS_64                                                             \
                 : "l"(a), "l"(b), "r"(static_cast<int>(add)));                            \
  }                                                                                        \
  template <>                                                                              \
  __device__ inline void multiply_add<T>(                                                  \
      float (&sums)[68], const std::uint32_t (&a)[4], std::uint64_t b, bool add) {         \
    asm volatile(VSR_PRODUCT("m64n136k16", name, "%73",                                    \
                             "{" VSR_NAMES_68 "}, {%68, %69, %70, %71}, %72", "1, 1, 0")   \
                 : VSR_SUMS_68                                                             \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                     \
                   "r"(static_cast<int>(add)));                                            \
  }                                                                                        \
  template <>                                                                              \
  __device__ inline void multiply_add<T>(                                                  \
      float (&sums)[32], const std::uint32_t (&a)[4], std::uint64_t b, bool add) {         \
    asm volatile(VSR_PRODUCT("m64n64k16", name, "%37",                                     \
                             "{" VSR_NAMES_32 "}, {%32, %33, %34, %35}, %36", "1, 1, 0")   \
                 : VSR_SUMS_32                                                             \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                     \
                   "r"(static_cast<int>(add)));                                            \
  }                                                                                        \
  template <>                                                                              \
  __device__ inline void multiply_add<T>(                                                  \
      float (&sums)[16], const std::uint32_t (&a)[4], std::uint64_t b, bool add) {         \
    asm volatile(VSR_PRODUCT("m64n32k16", name, "%21",                                     \
                             "{" VSR_NAMES_16 "}, {%16, %17, %18, %19}, %20", "1, 1, 0")   \
                 : VSR_SUMS_16(0)                                                          \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                     \
                   "r"(static_cast<int>(add)));                                            \
  }                                                                                        \
  template <>                                                                              \
  __device__ inline void multiply_add<T>(                                                  \
      float (&sums)[16], std::uint64_t a, std::uint64_t b, bool add) {                     \
    asm volatile(VSR_PRODUCT("m64n32k16", name, "%18",                                     \
                             "{" VSR_NAMES_16 "}, %16, %17", "1, 1, 0, 0")                 \
                 : VSR_SUMS_16(0)                                                          \
                 : "l"(a), "l"(b), "r"(static_cast<int>(add)));                            \
  }

VSR_PRODUCTS(__half, "f16")
VSR_PRODUCTS(__nv_bfloat16, "bf16")

#undef VSR_PRODUCTS
#undef VSR_PRODUCT
#undef VSR_NAMES_68
#undef VSR_NAMES_64
#undef VSR_NAMES_32
#undef VSR_NAMES_16
#undef VSR_SUMS_68
#undef VSR_SUMS_64
#undef VSR_SUMS_32
#undef VSR_SUMS_16
#undef VSR_SUMS_4
// clang-format on

}  // namespace vsr::kernels::hopper
