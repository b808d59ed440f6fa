#include "vsr/gpu/pinned_buffer.hpp"

#include "cuda/check.hpp"
#include "host_memory.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace vsr::gpu {

namespace {

// Note [Pinning]
// cudaHostAlloc makes and pins its pages one by one, some 2 GB/s, with a lock held that launches
// want too: a gigabyte for the next segment kept an idle GPU waiting for half a second. Huge pages
// of our own that are there already are pinned at 35 GB/s (docs/performance.md, "Pinned memory"),
// so large blocks are mapped here.
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kLeastMapped = 2 * kHugePage;

std::size_t page() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t whole_pages(std::size_t bytes) { return (bytes + page() - 1) / page() * page(); }

// Memory at the begin of a huge page; null where there is none.
std::byte* map_pages(std::size_t bytes) {
  const std::size_t size = whole_pages(bytes);
  void* const mapped =
      mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const std::size_t before =
      (kHugePage - reinterpret_cast<std::uintptr_t>(mapped) % kHugePage) % kHugePage;
  std::byte* const memory = static_cast<std::byte*>(mapped) + before;
  if (before > 0) munmap(mapped, before);
  munmap(memory + size, kHugePage - before);
  madvise(memory, size, MADV_HUGEPAGE);  // a wish
  madvise(memory, size, MADV_DONTFORK);  // the GPU would go on to write to pages of one of both
  for (std::size_t at = 0; at < size; at += page()) memory[at] = std::byte{0};
  return memory;
}

// Null where the driver will not have it so.
std::byte* map_and_pin(std::size_t bytes) {
  std::byte* const memory = map_pages(bytes);
  if (memory == nullptr) return nullptr;
  if (cudaHostRegister(memory, bytes, cudaHostRegisterPortable) == cudaSuccess) return memory;
  cudaGetLastError();
  munmap(memory, whole_pages(bytes));
  return nullptr;
}

}  // namespace

PinnedBuffer::PinnedBuffer(std::size_t bytes, bool pinned) : size_(bytes) {
  if (bytes == 0) return;
  if (!pinned || device_count() == 0) {
    data_ = allocate_host(bytes);
    return;
  }
  if (bytes >= kLeastMapped) data_ = map_and_pin(bytes);
  kind_ = data_ != nullptr ? Kind::kMapped : Kind::kDriver;
  if (kind_ == Kind::kMapped) return;
  void* memory = nullptr;
  check_cuda(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable),
             format("no {} bytes of pinned host memory", bytes));
  data_ = static_cast<std::byte*>(memory);
}

PinnedBuffer::~PinnedBuffer() {
  if (data_ == nullptr) return;
  switch (kind_) {
    case Kind::kPlain:
      free_host(data_);
      return;
    case Kind::kDriver:
      cudaFreeHost(data_);
      return;
    case Kind::kMapped:
      // What the GPU may still write to has to stay.
      if (cudaHostUnregister(data_) == cudaSuccess) munmap(data_, whole_pages(size_));
      return;
  }
}

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      kind_(std::exchange(other.kind_, Kind::kPlain)) {}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(kind_, other.kind_);
  return *this;
}

}  // namespace vsr::gpu
