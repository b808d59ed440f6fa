// Runs device code on the CPU, a fiber a thread, so that a kernel's arithmetic on indices can be
// tested where there is no GPU. Included before a .cu file that is compiled as C++.
//
// A grid's blocks run one after another; a block's threads take turns at every barrier and every
// operation of a whole warp. Asynchronous copies arrive no sooner than they are waited for, so that
// a missing wait shows. What is not emulated: races between barriers, memory models, speed.
#pragma once

#define VSR_EMULATED_CUDA 1

// Before the names below become macros.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <math.h>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace vsr::emulation {

struct Here {
  uint3 thread{};
  uint3 block{};
  dim3 block_size;
  dim3 grid_size;
};

const Here& here();
unsigned char* shared_memory();
void sync_threads();
void sync_warp();
int atomic_or(int* at, int bits);  // gives what was there

// For kernels whose warps do different things: they go on in any order from now on, some far behind
// others.
void go_on_in_any_order();
void let_others();                        // for a thread that waits for what others do
void meet(int id, int threads);           // so many threads name the barrier `id`
void later(std::function<void()> event);  // at some time; only in any order

// Shows `value` to the warp: afterwards seen(lane) gives each lane's. One exchange at a time.
constexpr int kExchangeBytes = 32;
void show(const void* value, std::size_t bytes);
const void* seen(int lane);
int lane();

// 16 bytes into shared memory; zeros where `valid` is false. Done at the wait that covers it.
void copy_async(void* to, const void* from, bool valid);
void commit_copies();
void wait_for_copies(int groups_still_open);

void run(dim3 grid, int threads, std::size_t shared_bytes, const std::function<void()>& body);

}  // namespace vsr::emulation

#undef __launch_bounds__
#define __launch_bounds__(...)
#define threadIdx (::vsr::emulation::here().thread)
#define blockIdx (::vsr::emulation::here().block)
#define blockDim (::vsr::emulation::here().block_size)
#define gridDim (::vsr::emulation::here().grid_size)
#define __syncthreads ::vsr::emulation::sync_threads
#define __syncwarp ::vsr::emulation::sync_warp
#define atomicOr ::vsr::emulation::atomic_or
