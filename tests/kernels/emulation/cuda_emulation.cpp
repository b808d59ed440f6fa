#include "cuda_emulation.hpp"

#include <ucontext.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#undef atomicOr

namespace vsr::emulation {

namespace {

constexpr std::size_t kStackBytes = 256 << 10;
constexpr int kWarp = 32;
constexpr int kStuck = 1 << 19;  // rounds in which nothing ends

struct Copy {
  void* to;
  const void* from;
};

struct Thread {
  ucontext_t context{};
  Here here;
  bool done = false;
  int exchanges = 0;
  std::vector<std::vector<Copy>> groups;  // committed, oldest first
  std::vector<Copy> open;
};

struct Barrier {
  int arrived = 0;
  int generation = 0;
};

struct Warp {
  Barrier barrier;
  int slowness = 1;
  // Two, so that one may be filled while the last is still being read.
  std::array<std::array<std::array<unsigned char, kExchangeBytes>, kWarp>, 2> shown{};
};

struct Block {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Barrier barrier;
  std::vector<unsigned char> shared;
  std::map<int, Barrier> named;
  std::vector<std::function<void()>> events;
  bool any_order = false;
  std::size_t left = 0;  // threads
  int rounds = 0;        // since anything has ended
  ucontext_t scheduler{};
  Thread* current = nullptr;
  const std::function<void()>* body = nullptr;
};

Block* block = nullptr;  // the one that runs; tests are single-threaded

int any_below(int end) {
  static std::minstd_rand random;
  return static_cast<int>(random() % static_cast<unsigned>(end));
}

// Kept from block to block: making them takes longer than most kernels.
char* stack_of(std::size_t thread) {
  static std::vector<std::unique_ptr<char[]>> stacks;
  while (stacks.size() <= thread) stacks.push_back(std::make_unique<char[]>(kStackBytes));
  return stacks[thread].get();
}

void yield() { swapcontext(&block->current->context, &block->scheduler); }

void meet(Barrier& barrier, int count) {
  const int mine = barrier.generation;
  if (++barrier.arrived == count) {
    barrier.arrived = 0;
    ++barrier.generation;
    return;
  }
  while (barrier.generation == mine) yield();
}

void trampoline() {
  (*block->body)();
  block->current->done = true;
  for (;;) yield();
}

Warp& my_warp() { return block->warps[block->current->here.thread.x / kWarp]; }

void arrive(const std::vector<Copy>& copies) {
  for (const Copy& copy : copies) {
    if (copy.from != nullptr) std::memcpy(copy.to, copy.from, 16);
    if (copy.from == nullptr) std::memset(copy.to, 0, 16);
  }
}

void resume(Thread& thread) {
  if (thread.done) return;
  block->current = &thread;
  swapcontext(&block->scheduler, &thread.context);
  if (!thread.done) return;
  --block->left;
  block->rounds = 0;
}

// Some of a warp's threads, slow warps less often; and what is to be done at some time.
void resume_any() {
  const auto warp = static_cast<std::size_t>(any_below(static_cast<int>(block->warps.size())));
  int& slowness = block->warps[warp].slowness;
  if (any_below(256) == 0) slowness = any_below(4) == 0 ? 32 : 1;
  const bool asleep = any_below(slowness) > 0;
  for (std::size_t i = 0; !asleep && i < kWarp; ++i) {
    if (any_below(16) > 0) resume(block->threads[warp * kWarp + i]);
  }
  if (block->events.empty() || any_below(8) > 0) return;
  const int event = any_below(static_cast<int>(block->events.size()));
  std::exchange(block->events[static_cast<std::size_t>(event)], nullptr)();
  block->events.erase(block->events.begin() + event);
  block->rounds = 0;
}

void run_block() {
  for (Thread& thread : block->threads) {
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = stack_of(thread.here.thread.x);
    thread.context.uc_stack.ss_size = kStackBytes;
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, trampoline, 0);
  }
  for (block->left = block->threads.size(); block->left > 0 || !block->events.empty();) {
    if (++block->rounds > kStuck) throw std::logic_error("all threads wait for each other");
    if (block->any_order) {
      resume_any();
    } else {
      for (Thread& thread : block->threads) resume(thread);
    }
  }
  for (const Thread& thread : block->threads) {
    if (!thread.open.empty() || !thread.groups.empty()) {
      throw std::logic_error("a thread ended with copies that nobody waited for");
    }
  }
}

}  // namespace

const Here& here() { return block->current->here; }

unsigned char* shared_memory() {
  const auto at = reinterpret_cast<std::uintptr_t>(block->shared.data());
  return block->shared.data() + (1024 - at % 1024) % 1024;
}

void go_on_in_any_order() { block->any_order = true; }

void let_others() { yield(); }

void later(std::function<void()> event) { block->events.push_back(std::move(event)); }

void meet(int id, int threads) { meet(block->named[id], threads); }

void sync_threads() { meet(block->barrier, static_cast<int>(block->threads.size())); }

void sync_warp() { meet(my_warp().barrier, kWarp); }

int atomic_or(int* at, int bits) {
  const int before = *at;
  *at |= bits;
  return before;
}

int lane() { return static_cast<int>(here().thread.x) % kWarp; }

void show(const void* value, std::size_t bytes) {
  Thread& me = *block->current;
  ++me.exchanges;
  std::memcpy(my_warp().shown[me.exchanges % 2][lane()].data(), value, bytes);
  meet(my_warp().barrier, kWarp);
}

const void* seen(int lane) { return my_warp().shown[block->current->exchanges % 2][lane].data(); }

void copy_async(void* to, const void* from, bool valid) {
  block->current->open.push_back({to, valid ? from : nullptr});
  std::memset(to, 0xFF, 16);  // not numbers until it has arrived
}

void commit_copies() {
  Thread& me = *block->current;
  me.groups.push_back(std::move(me.open));
  me.open.clear();
}

void wait_for_copies(int groups_still_open) {
  auto& groups = block->current->groups;
  while (groups.size() > static_cast<std::size_t>(groups_still_open)) {
    arrive(groups.front());
    groups.erase(groups.begin());
  }
}

void run(dim3 grid, int threads, std::size_t shared_bytes, const std::function<void()>& body) {
  if (threads % kWarp != 0) throw std::logic_error("a block of threads that are no whole warps");
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        Block made;
        made.threads.resize(static_cast<std::size_t>(threads));
        made.warps.resize(static_cast<std::size_t>(threads / kWarp));
        made.shared.assign(shared_bytes + 1024, 0xFF);
        made.body = &body;
        for (int i = 0; i < threads; ++i) {
          made.threads[static_cast<std::size_t>(i)].here = {{static_cast<unsigned>(i), 0, 0},
                                                            {x, y, z},
                                                            dim3(static_cast<unsigned>(threads)),
                                                            grid};
        }
        block = &made;
        run_block();
        block = nullptr;
      }
    }
  }
}

}  // namespace vsr::emulation
