// In place of src/kernels/cuda/hopper.cuh where its kernels run on the CPU (cuda_emulation.hpp);
// what is not told here is told there.
//
// What is asynchronous is done at some time between its start and what waits for it: boxes that
// come are no numbers until then, boxes that go are read then, pixels that are multiplied must be
// the same at both ends. So a barrier too few shows, as a rule. Proxies and memory models are not
// emulated.
#pragma once

#include "cuda/tensor_map.hpp"

#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#define __CUDA_ARCH_FEAT_SM90_ALL 1
#undef __grid_constant__
#define __grid_constant__
// A device of few multiprocessors.
#define cudaDeviceGetAttribute(value, what, device) (*(value) = 5)

namespace vsr::kernels::hopper {

template <typename T>
T __ldg(const T* from) {
  return *from;
}

inline int min(int a, int b) { return a < b ? a : b; }

inline int max(int a, int b) { return a > b ? a : b; }

inline unsigned char* at(std::uint32_t address) { return emulation::shared_memory() + address; }

inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(static_cast<const unsigned char*>(pointer) -
                                    emulation::shared_memory());
}

inline void expect(bool kept, const char* rule) {
  if (!kept) throw std::logic_error(rule);
}

// --- Barriers -----------------------------------------------------------------------------------

struct Barrier {
  std::uint8_t arrivals;
  std::uint8_t missing;
  std::uint16_t phase;
  std::int32_t bytes;  // still to come
};

static_assert(sizeof(Barrier) == 8);

inline Barrier& barrier_at(std::uint32_t address) {
  return *reinterpret_cast<Barrier*>(at(address));
}

inline void go_on_if_complete(Barrier& barrier) {
  if (barrier.missing > 0 || barrier.bytes > 0) return;
  ++barrier.phase;
  barrier.missing = barrier.arrivals;
}

inline void init_barrier(std::uint32_t barrier, int arrivals) {
  emulation::go_on_in_any_order();
  const auto count = static_cast<std::uint8_t>(arrivals);
  barrier_at(barrier) = {count, count, 0, 0};
}

inline void fence_barriers() {}

inline void arrive_expecting(std::uint32_t barrier, int bytes) {
  Barrier& here = barrier_at(barrier);
  expect(here.missing > 0, "an arrival too many at a barrier");
  --here.missing;
  here.bytes += bytes;
  go_on_if_complete(here);
}

inline void arrive(std::uint32_t barrier) { arrive_expecting(barrier, 0); }

inline void wait(std::uint32_t barrier, int parity) {
  do emulation::let_others();
  while (barrier_at(barrier).phase % 2 == parity);
}

inline void meet(int id, int threads) { emulation::meet(id, threads); }

// --- Copy engine --------------------------------------------------------------------------------

using Coordinates = std::array<std::int64_t, 4>;

// By rows of a box: where it lies in shared memory; its first byte in the map, how many bytes of it
// the map has.
template <typename Each>
void each_row(const TensorBox& map, const Coordinates& first, std::uint32_t to, const Each& each) {
  for (std::uint32_t image = 0; image < map.box[3]; ++image) {
    for (std::uint32_t y = 0; y < map.box[2]; ++y) {
      for (std::uint32_t x = 0; x < map.box[1]; ++x, to += map.box[0] * 2) {
        const Coordinates here{first[0], first[1] + x, first[2] + y, first[3] + image};
        bool inside = true;
        std::int64_t offset = here[0] * 2;
        for (std::size_t i = 1; i < 4; ++i) {
          inside = inside && here[i] >= 0 && here[i] < static_cast<std::int64_t>(map.sizes[i]);
          offset += here[i] * static_cast<std::int64_t>(map.strides[i - 1]);
        }
        each(to,
             inside ? static_cast<unsigned char*>(const_cast<void*>(map.data)) + offset : nullptr);
      }
    }
  }
}

// Rows of 128, 64 or 32 bytes, see Note [Rows under the swizzle].
inline std::uint32_t swizzled_address(std::uint32_t address, std::uint32_t row_bytes) {
  return address ^ ((address / 128 % (row_bytes / 16)) << 4);
}

inline TensorBox box_of(const CUtensorMap& map) {
  TensorBox box;
  static_assert(std::is_trivially_copyable_v<TensorBox> && sizeof(box) <= sizeof(map));
  std::memcpy(static_cast<void*>(&box), &map, sizeof(box));
  expect(box.dimensions == 4 && box.sizes[0] == box.box[0], "a map that is not emulated");
  return box;
}

inline void load_box(std::uint32_t to,
                     const CUtensorMap& map,
                     std::uint32_t barrier,
                     int c0,
                     int c1,
                     int c2,
                     int c3) {
  const TensorBox box = box_of(map);
  const std::uint32_t row_bytes = box.box[0] * 2;
  const Coordinates first{c0, c1, c2, c3};
  each_row(box, first, to, [&](std::uint32_t row, const void*) {
    std::memset(at(row), 0xff, row_bytes);
  });
  emulation::later([=] {
    std::int32_t bytes = 0;
    each_row(box, first, to, [&](std::uint32_t row, const unsigned char* from) {
      for (std::uint32_t part = 0; part < row_bytes; part += 16) {
        unsigned char* const there = at(swizzled_address(row + part, row_bytes));
        if (from != nullptr) std::memcpy(there, from + part, 16);
        if (from == nullptr) std::memset(there, 0, 16);
      }
      bytes += static_cast<std::int32_t>(row_bytes);
    });
    barrier_at(barrier).bytes -= bytes;
    go_on_if_complete(barrier_at(barrier));
  });
}

struct Stores {
  std::vector<std::function<void()>> open;
  int reading = 0;  // groups
};

inline Stores& my_stores() {
  static std::map<unsigned, Stores> all;
  return all[threadIdx.x];
}

inline void store_box(const CUtensorMap& map, std::uint32_t from, int c0, int c1, int c2, int c3) {
  const TensorBox box = box_of(map);
  my_stores().open.push_back([=] {
    const std::uint32_t row_bytes = box.box[0] * 2;
    each_row(box, {c0, c1, c2, c3}, from, [&](std::uint32_t row, unsigned char* to) {
      for (std::uint32_t part = 0; to != nullptr && part < row_bytes; part += 16) {
        std::memcpy(to + part, at(swizzled_address(row + part, row_bytes)), 16);
      }
    });
  });
}

inline void commit_stores() {
  Stores& stores = my_stores();
  ++stores.reading;
  emulation::later([&stores, group = std::exchange(stores.open, {})] {
    for (const auto& store : group) store();
    --stores.reading;
  });
}

template <int kStillOpen>
void wait_for_stores_to_read() {
  while (my_stores().reading > kStillOpen) emulation::let_others();
}

inline void wait_for_stores() { wait_for_stores_to_read<0>(); }

inline void fence_shared_writes() {}

// --- Launches and registers ---------------------------------------------------------------------

inline void let_next_kernel_start() {}

inline void wait_for_previous_kernel() {}

template <int kCount>
void keep_registers() {}

template <int kCount>
void take_registers() {}

// --- Matrices -----------------------------------------------------------------------------------

// Two rows of each 8x8 matrix have an element for a register of this lane; `each` gets it, the
// register's number and which half of that.
template <typename Each>
void each_element(std::uint32_t row, int matrices, const Each& each) {
  emulation::show(&row, sizeof(row));
  const int lane = emulation::lane();
  for (int i = 0; i < matrices; ++i) {
    for (int upper = 0; upper < 2; ++upper) {
      const int from = 8 * i + lane % 4 * 2 + upper;
      each(at(*static_cast<const std::uint32_t*>(emulation::seen(from)) + lane / 4 * 2), i, upper);
    }
  }
  __syncwarp();
}

inline void load_transposed(std::uint32_t (&out)[4], std::uint32_t row) {
  each_element(row, 4, [&](const unsigned char* from, int i, int upper) {
    std::memcpy(reinterpret_cast<unsigned char*>(&out[i]) + 2 * upper, from, 2);
  });
}

template <int kMatrices>
void store_transposed(std::uint32_t row, const std::uint32_t (&in)[kMatrices]) {
  each_element(row, kMatrices, [&](unsigned char* to, int i, int upper) {
    std::memcpy(to, reinterpret_cast<const unsigned char*>(&in[i]) + 2 * upper, 2);
  });
}

inline void store_zeros(std::uint32_t to) { std::memset(at(to), 0, 16); }

template <int kRowBytes>
std::uint64_t pixels_descriptor(std::uint32_t address) {
  static_assert(kRowBytes == 128, "others are not emulated");
  return address >> 4;
}

template <int kRowBytes>
int swizzled(int row, int part) {
  const auto address = static_cast<std::uint32_t>(row * kRowBytes + part * 16);
  return static_cast<int>(swizzled_address(address, kRowBytes));
}

// --- Products -----------------------------------------------------------------------------------

constexpr int kDepth = 16;  // of a product

// A lane's part of one that is queued: the warp's 16 rows of `a` are spread over its lanes.
struct Product {
  std::uint32_t a[4];
  std::uint64_t b;
  int pixels;
  float* sums;
  bool add;
  float (*widened)(std::uint16_t bits);
  std::vector<std::uint16_t> early;  // the first lane's: b when it was queued
};

inline std::vector<Product>& products_of(unsigned thread) {
  static std::map<unsigned, std::vector<Product>> all;
  return all[thread];
}

template <typename T>
float widened(std::uint16_t bits) {
  T value;
  std::memcpy(static_cast<void*>(&value), &bits, 2);
  return static_cast<float>(value);
}

// [pixels][kDepth]
inline std::vector<std::uint16_t> pixels_at(std::uint64_t descriptor, int pixels) {
  std::vector<std::uint16_t> values(static_cast<std::size_t>(pixels * kDepth));
  auto* to = reinterpret_cast<unsigned char*>(values.data());
  for (int i = 0; i < pixels; ++i) {
    for (int upper = 0; upper < 2; ++upper, to += 16) {
      const auto offset = static_cast<std::uint32_t>(i * 128 + upper * 16);
      const auto address = static_cast<std::uint32_t>(descriptor << 4) + offset;
      std::memcpy(to, at(swizzled_address(address, 128)), 16);
    }
  }
  return values;
}

inline void begin_products() { __syncwarp(); }

inline void commit_products() {}

template <typename T, int kSums>
void multiply_add(float (&sums)[kSums], const std::uint32_t (&a)[4], std::uint64_t b, bool add) {
  Product product{{a[0], a[1], a[2], a[3]}, b, 2 * kSums, sums, add, widened<T>, {}};
  if (emulation::lane() == 0) product.early = pixels_at(b, product.pixels);
  products_of(threadIdx.x).push_back(std::move(product));
}

// One of the warp's products, of which its first lane is `first`.
inline void multiply(unsigned first, std::size_t number) {
  const auto of = [&](int row, int column) -> const Product& {
    return products_of(first + static_cast<unsigned>(row % 8 * 4 + column % 8 / 2))[number];
  };
  const Product& product = of(0, 0);
  const int pixels = product.pixels;
  const auto late = pixels_at(product.b, pixels);
  // Of those beyond a strip of 128 nobody asks for the sums, and they may change.
  expect(std::memcmp(late.data(), product.early.data(), 128 * kDepth * 2) == 0,
         "pixels were overwritten while they were multiplied");
  std::vector<float> b(late.size());  // [kDepth][pixels]
  for (int i = 0; i < pixels * kDepth; ++i) {
    b[static_cast<std::size_t>(i % kDepth * pixels + i / kDepth)] =
        product.widened(late[static_cast<std::size_t>(i)]);
  }
  std::vector<float> sums(static_cast<std::size_t>(pixels));
  for (int row = 0; row < 16; ++row) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (int k = 0; k < kDepth; ++k) {
      const std::uint32_t both = of(row, k).a[row / 8 + k / 8 * 2];
      const float a = product.widened(static_cast<std::uint16_t>(k % 2 == 0 ? both : both >> 16));
      const float* const from = &b[static_cast<std::size_t>(k * pixels)];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += a * from[i];
    }
    for (int i = 0; i < pixels; ++i) {
      const Product& there = of(row, i);
      float& sum = there.sums[i / 8 * 4 + row / 8 * 2 + i % 2];
      sum = sums[static_cast<std::size_t>(i)] + (there.add ? sum : 0.0f);
    }
  }
}

template <int kStillOpen>
void wait_for_products() {
  static_assert(kStillOpen == 0, "others are not emulated");
  constexpr int kTurns = 16;  // for what should have waited, and does not, to come first
  for (int i = 0; i < kTurns; ++i) emulation::let_others();
  __syncwarp();
  auto& mine = products_of(threadIdx.x);
  for (std::size_t i = 0; emulation::lane() == 0 && i < mine.size(); ++i) multiply(threadIdx.x, i);
  __syncwarp();
  mine.clear();
}

template <int kCount>
void fence_sums(float (&)[kCount]) {}

}  // namespace vsr::kernels::hopper
